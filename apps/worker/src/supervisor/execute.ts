import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError, toAppError, type JobEnvelope, type JobResult } from "@whittle/contracts";
import type { Execute, JobHandle } from "@whittle/queue";
import type { Logger } from "pino";
import { childEntry, type Entry } from "../entries.ts";
import { runInChild } from "./run-in-child.ts";

export interface ExecuteOptions {
  /** URL of the store that the children publish to. */
  store: string;
  datasetDirs: string[];
  /** Holds a folder for each job. */
  workDir: string;
  /** Environment of the children. */
  env: Record<string, string | undefined>;
  /** How long a cancelled job may take to end by itself, in ms. */
  graceMs: number;
  /** How long a running job may go on when the worker leaves; then it is stopped and waits for another worker, in ms. */
  drainMs: number;
  log: Logger;
  entry?: Entry;
}

/** How the worker runs a job: in a process and a folder of its own, which stays while the job may be run again. */
export function createExecute(options: ExecuteOptions): Execute {
  return async (envelope, handle) => {
    const log = options.log.child({ job: envelope.id, kind: envelope.kind });
    const workDir = join(options.workDir, envelope.id);
    await mkdir(workDir, { recursive: true });
    const began = performance.now();
    const seconds = () => Number(((performance.now() - began) / 1000).toFixed(1));
    try {
      const result = await run(envelope, handle, { ...options, workDir, log });
      log.info({ seconds: seconds(), artifact: result.artifact }, "completed");
      await rm(workDir, { recursive: true, force: true });
      return result;
    } catch (error) {
      log.warn({ seconds: seconds(), err: error, stopped: handle.signal.reason }, "ended without a result");
      if (!mayRunAgain(error, handle.signal)) await rm(workDir, { recursive: true, force: true });
      throw error;
    }
  };
}

function mayRunAgain(error: unknown, { reason }: AbortSignal): boolean {
  return reason === "drain" || reason === "lease" || toAppError(error).retryable;
}

function run(envelope: JobEnvelope, handle: JobHandle, options: ExecuteOptions): Promise<JobResult> {
  const { store, datasetDirs, workDir, env, graceMs, drainMs, log, entry = childEntry } = options;
  return runInChild({
    envelope,
    store,
    datasetDirs,
    workDir,
    entry,
    env,
    signal: stopSignal(handle.signal, drainMs),
    // Who has lost the claim must be gone before another worker takes the job.
    graceMs: () => (handle.signal.reason === "lease" ? 0 : graceMs),
    onEvent: (event) => handle.emit(event),
    onStart: (pid) => {
      log.info({ child: pid }, "started");
      handle.runsIn(pid);
    },
    onLine: (line) => log.debug(line),
  });
}

/** The queue's wish to stop as the child gets it: at once, or after `drainMs` where the worker only wants to leave. */
function stopSignal(asked: AbortSignal, drainMs: number): AbortSignal {
  const stop = new AbortController();
  const heard = (): void => {
    const reason = new AppError("cancelled", `the job was stopped (${String(asked.reason)})`);
    if (asked.reason === "drain") setTimeout(() => stop.abort(reason), drainMs).unref();
    else stop.abort(reason);
  };
  if (asked.aborted) heard();
  else asked.addEventListener("abort", heard, { once: true });
  return stop.signal;
}
