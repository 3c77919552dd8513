/** One job's process: takes an envelope from the worker, runs it, sends back what happens and what came out, and ends. */
import { AppError, parse, toAppError } from "@whittle/contracts";
import { runJob } from "@whittle/jobs/runners";
import { openStore } from "@whittle/store";
import { toChild, type FromChild, type ToChild } from "./supervisor/messages.ts";

const cancelled = new AbortController();

// Without its worker nobody would take the result, and another worker runs the job again.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => cancelled.abort(new AppError("cancelled", "The job's process was told to stop")));

process.on("message", (raw) => {
  const message = parse(toChild, raw, "The worker's message");
  if (message.type === "cancel") cancelled.abort(new AppError("cancelled", message.reason));
  else void work(message);
});

async function work({ envelope, store, datasetDirs, workDir }: Extract<ToChild, { type: "run" }>): Promise<void> {
  let answer: FromChild;
  try {
    const result = await runJob(envelope, {
      store: await openStore(store),
      signal: cancelled.signal,
      datasetDirs,
      workDir,
      emit: (event) => void send({ type: "event", event }),
    });
    answer = { type: "result", result };
  } catch (error) {
    answer = { type: "error", error: toAppError(error).toJSON() };
    if (answer.error.code === "internal") console.error(error);
  }
  await send(answer);
  process.exit(0);
}

/** Resolves when the message has been handed to the system. */
function send(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.send) process.send(message, undefined, {}, () => resolve());
    else resolve();
  });
}
