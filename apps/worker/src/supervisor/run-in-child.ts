import type { ChildProcess } from "node:child_process";
import { AppError, toAppError, type JobResources, type JobResult, type NewJobEvent } from "@whittle/contracts";
import { onLine, tell } from "./channel.ts";
import { explainExit, recognise } from "./crash.ts";
import { killGroup } from "./fork.ts";
import { fromChild, type FromChild, type Question, type Task } from "./messages.ts";
import { watchProcess, type Limits } from "./watch.ts";

export interface ChildJob {
  task: Omit<Task, "type">;
  /** Gives the process that runs the job: nobody else's, and in a group of its own. */
  open(): Promise<ChildProcess>;
  limits: Limits;
  /** How long an aborted job may take to end by itself, in ms; asked when it is aborted. */
  graceMs(): number;
  /** Aborting it stops the job; its reason is what the job then fails with. */
  signal: AbortSignal;
  onEvent(event: NewJobEvent): void;
  /** Answers the child. @throws AppError: then the child must not do it. */
  onQuestion(question: Question): Promise<string[]>;
  onStart?(pid: number): void;
  onUsage?(resources: JobResources): void;
  /** A line that the child wrote to its standard output or error. */
  onLine?(line: string): void;
}

const keptLines = 20;

/**
 * Runs a job in a process of its own and waits until that process is gone, so that its memory is free again.
 * @throws AppError what the job failed with; the signal's reason when it was aborted; `timeout` after the envelope's limit;
 *   `out_of_memory`, `worker_lost` or `timeout` when the process ended without a result, or was killed for going beyond its limits.
 */
export async function runInChild(job: ChildJob): Promise<JobResult> {
  job.signal.throwIfAborted();
  const limit = job.task.envelope.timeoutSeconds;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new AppError("timeout", `The job took longer than its limit of ${limit} s (timeoutSeconds)`)),
    Math.min(limit * 1000, 2 ** 31 - 1),
  );
  const stop = AbortSignal.any([job.signal, deadline.signal]);
  try {
    const outcome = await superviseChild(await job.open(), job, stop);
    // A result that was published counts, even if the wish to stop came at the same time.
    if (outcome instanceof AppError) throw stop.aborted ? toAppError(stop.reason) : outcome;
    return outcome;
  } finally {
    clearTimeout(timer);
  }
}

function superviseChild(child: ChildProcess, job: ChildJob, stop: AbortSignal): Promise<JobResult | AppError> {
  const lastLines: string[] = [];
  let outcome: JobResult | AppError | undefined;
  let violation: AppError | undefined;
  let killer: NodeJS.Timeout | undefined;
  const watch = watchProcess(child.pid ?? 0, job.limits, {
    violated: (error) => {
      violation = error;
      killGroup(child);
    },
    used: (resources) => job.onUsage?.(resources),
  });
  const abort = () => {
    tell(child, { type: "cancel", reason: toAppError(stop.reason).message });
    killer = setTimeout(() => killGroup(child), job.graceMs());
  };
  child.on("message", (raw) => {
    const { success, data: message } = fromChild.safeParse(raw);
    if (!success) return;
    watch.heard(message.type === "beat" ? "beat" : "progress");
    if (message.type === "event") job.onEvent(message.event);
    if (message.type === "ask") void answer(child, job, message);
    if (message.type === "result") outcome = message.result;
    if (message.type === "error") outcome = recognise(toAppError(message.error));
    if ("resources" in message && message.resources) job.onUsage?.(message.resources);
  });
  onLine(child.stdout, (line) => job.onLine?.(line));
  onLine(child.stderr, (line) => {
    lastLines.push(line);
    if (lastLines.length > keptLines) lastLines.shift();
    job.onLine?.(line);
  });
  tell(child, { type: "run", ...job.task });
  if (child.pid !== undefined) job.onStart?.(child.pid);
  if (stop.aborted) abort();
  else stop.addEventListener("abort", abort, { once: true });
  return new Promise((resolve) => {
    const end = (failure: () => AppError) => {
      clearTimeout(killer);
      watch.stop();
      stop.removeEventListener("abort", abort);
      resolve(outcome ?? violation ?? failure());
    };
    child.once("error", (cause) =>
      end(() => new AppError("worker_lost", `The job's process can't be run: ${cause.message}`, { cause })),
    );
    child.once("exit", () => killGroup(child));
    child.once("close", (code, signal) => {
      const closed = () => end(() => explainExit({ code, signal, lastLines }));
      // The channel can still hold the result when the process is gone.
      if (child.connected) child.once("disconnect", closed);
      else closed();
    });
  });
}

async function answer(
  child: ChildProcess,
  job: ChildJob,
  { id, question }: Extract<FromChild, { type: "ask" }>,
): Promise<void> {
  try {
    tell(child, { type: "answer", id, names: await job.onQuestion(question) });
  } catch (error) {
    tell(child, { type: "answer", id, error: toAppError(error).toJSON() });
  }
}
