import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError, type JobEnvelope, type JobResult } from "@whittle/contracts";
import type { Execute, JobHandle } from "@whittle/queue";
import type { Logger } from "pino";
import { childEntry, type Entry } from "../entries.ts";
import { forkGroup } from "./fork.ts";
import { createGpus, gpuEnv } from "./gpus.ts";
import { runInChild } from "./run-in-child.ts";
import type { Spare } from "./spare.ts";
import type { Limits } from "./watch.ts";

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
  limits: Limits;
  /** The machine's GPUs: each job gets one. */
  gpus?: string[];
  log: Logger;
  entry?: Entry;
  /** Where there are no GPUs, of which a process has to know its own from its start. */
  spare?: Spare | undefined;
}

/** How the worker runs a job: in a process and a folder of its own; what the next run needs is in the job's scratch space. */
export function createExecute(options: ExecuteOptions): Execute {
  const gpus = createGpus(options.gpus ?? []);
  return async (envelope, handle) => {
    const log = options.log.child({ job: envelope.id, kind: envelope.kind });
    const workDir = join(options.workDir, `${envelope.id}.${handle.epoch}`);
    await mkdir(workDir, { recursive: true });
    const gpu = gpus.take();
    const env = { ...options.env, ...gpuEnv(gpu) };
    const began = performance.now();
    const seconds = () => Number(((performance.now() - began) / 1000).toFixed(1));
    try {
      const result = await run(envelope, handle, { ...options, env, workDir, log });
      log.info({ seconds: seconds(), artifact: result.artifact }, "completed");
      return result;
    } catch (error) {
      log.warn({ seconds: seconds(), err: error, stopped: handle.signal.reason }, "ended without a result");
      throw error;
    } finally {
      gpus.release(gpu);
      options.spare?.prepare();
      await rm(workDir, { recursive: true, force: true });
    }
  };
}

function run(envelope: JobEnvelope, handle: JobHandle, options: ExecuteOptions): Promise<JobResult> {
  const { store, datasetDirs, workDir, env, limits, graceMs, drainMs, log, entry = childEntry, spare } = options;
  const { epoch, checkpoints } = handle;
  let progressed = false;
  return runInChild({
    task: { envelope, epoch, checkpoints, store, datasetDirs, workDir },
    open: async () => (await spare?.take()) ?? forkGroup(entry, env),
    limits,
    signal: stopSignal(handle.signal, drainMs),
    // Who has lost the claim must be gone before another worker takes the job.
    graceMs: () => (handle.signal.reason === "lease" ? 0 : graceMs),
    onEvent: (event) => {
      handle.emit(event);
      if (event.type !== "progress" || progressed) return;
      progressed = true;
      // Now, and not before: the job has loaded what it needs itself.
      spare?.prepare();
    },
    onUsage: (resources) => handle.uses(resources),
    onQuestion: async (question) => {
      if (question.what === "keep") return handle.keep(question.name);
      await handle.commit();
      return [];
    },
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
