import { AppError } from "@whittle/contracts";

/** How a process ended without saying so. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last lines that it wrote to standard error. */
  lastLines: string[];
}

const memoryErrors =
  /heap out of memory|OOM when allocating|ResourceExhausted|RESOURCE_EXHAUSTED|std::bad_alloc|Cannot allocate memory/;

/** Says why a job's process ended before it gave a result. */
export function explainExit({ code, signal, lastLines }: Exit): AppError {
  const text = lastLines.join("\n");
  const how = signal === null ? `with exit code ${code}` : `by signal ${signal}`;
  const last = text === "" ? "" : `; its last lines: ${text}`;
  if (memoryErrors.test(text))
    return new AppError("out_of_memory", `The job's process ran out of memory and ended ${how}${last}`);
  const hint = signal === "SIGKILL" ? " (the system kills a process so when memory runs out)" : "";
  return new AppError("worker_lost", `The job's process ended ${how}${hint} before it gave a result${last}`);
}

/** An error that the job reported itself, with memory errors of TensorFlow told from others. */
export function recognise(error: AppError): AppError {
  if (error.code !== "internal" || !memoryErrors.test(error.message)) return error;
  return new AppError("out_of_memory", error.message, { cause: error });
}
