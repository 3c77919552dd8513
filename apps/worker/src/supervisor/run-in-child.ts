import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { AppError, toAppError, type JobEnvelope, type JobResult, type NewJobEvent } from "@whittle/contracts";
import type { Entry } from "../entries.ts";
import { explainExit, recognise } from "./crash.ts";
import { forkGroup, killGroup } from "./fork.ts";
import { fromChild, type ToChild } from "./messages.ts";

export interface ChildJob {
  envelope: JobEnvelope;
  /** URL of the store that the child publishes to. */
  store: string;
  datasetDirs: string[];
  /** The job's own folder, made before and removed after by the caller. */
  workDir: string;
  entry: Entry;
  env: Record<string, string | undefined>;
  /** How long an aborted job may take to end by itself, in ms; asked when it is aborted. */
  graceMs(): number;
  /** Aborting it stops the job; its reason is what the job then fails with. */
  signal: AbortSignal;
  onEvent(event: NewJobEvent): void;
  onStart?(pid: number): void;
  /** A line that the child wrote to its standard output or error. */
  onLine?(line: string): void;
}

const keptLines = 20;

/**
 * Runs a job in a process of its own and waits until that process is gone, so that its memory is free again.
 * @throws AppError what the job failed with; the signal's reason when it was aborted; `timeout` after the envelope's limit;
 *   `out_of_memory` or `worker_lost` when the process ended without a result.
 */
export async function runInChild(job: ChildJob): Promise<JobResult> {
  job.signal.throwIfAborted();
  const limit = job.envelope.timeoutSeconds;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new AppError("timeout", `The job took longer than its limit of ${limit} s (timeoutSeconds)`)),
    Math.min(limit * 1000, 2 ** 31 - 1),
  );
  const stop = AbortSignal.any([job.signal, deadline.signal]);
  try {
    const outcome = await superviseChild(forkGroup(job.entry, job.env), job, stop);
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
  let killer: NodeJS.Timeout | undefined;
  const abort = () => {
    tell(child, { type: "cancel", reason: toAppError(stop.reason).message });
    killer = setTimeout(() => killGroup(child), job.graceMs());
  };
  child.on("message", (raw) => {
    const message = fromChild.safeParse(raw);
    if (!message.success) return;
    if (message.data.type === "event") job.onEvent(message.data.event);
    else if (message.data.type === "result") outcome = message.data.result;
    else outcome = recognise(toAppError(message.data.error));
  });
  onLine(child.stdout, (line) => job.onLine?.(line));
  onLine(child.stderr, (line) => {
    lastLines.push(line);
    if (lastLines.length > keptLines) lastLines.shift();
    job.onLine?.(line);
  });
  const { envelope, store, datasetDirs, workDir } = job;
  tell(child, { type: "run", envelope, store, datasetDirs, workDir });
  if (child.pid !== undefined) job.onStart?.(child.pid);
  stop.addEventListener("abort", abort, { once: true });
  return new Promise((resolve) => {
    const end = (failure: () => AppError) => {
      clearTimeout(killer);
      stop.removeEventListener("abort", abort);
      resolve(outcome ?? failure());
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

function onLine(stream: Readable | null, listener: (line: string) => void): void {
  if (stream) createInterface({ input: stream }).on("line", listener);
}

/** Sends a message; that the child is gone is seen from its exit. */
function tell(child: ChildProcess, message: ToChild): void {
  if (child.connected) child.send(message, () => {});
}
