import {
  AppError,
  jobResult,
  replaceReferences,
  toAppError,
  type JobEnvelope,
  type JobResources,
  type JobResult,
  type NewJobEvent,
} from "@whittle/contracts";
import type { Job } from "bullmq";
import type { Context } from "./connection.ts";
import { startRun, type Fence } from "./fence.ts";
import { startLease } from "./lease.ts";
import { keepUntilSettled } from "./pending.ts";
import { readRecord, type JobRecord } from "./record.ts";
import { concludeRun, refuse, type Outcome } from "./run-end.ts";

/** Why a running job is told to stop: somebody cancelled it, the worker leaves, or the worker has lost its claim on the job. */
export type StopReason = "cancelled" | "drain" | "lease";

/** What a job sees of the queue while it runs. */
export interface JobHandle {
  /** Aborted with a {@link StopReason} as its `reason`. */
  signal: AbortSignal;
  /** Adds to the job's events; in order, and never fails. */
  emit: (event: NewJobEvent) => void;
  /** Tells which process runs the job, for the list of workers. */
  runsIn: (pid: number) => void;
  /** Tells what that process has used so far. */
  uses: (resources: JobResources) => void;
  /** Counts the job's starts: what a run writes is refused when there is a later one. */
  epoch: number;
  /** Names of the checkpoints to go on from, in the job's scratch space, the newest first. */
  checkpoints: string[];
  /** Must be asked before the job's artifact is published. @throws AppError `cancelled`, `conflict`: it must not be. */
  commit: () => Promise<void>;
  /** Makes a checkpoint the newest. @returns those not needed any more. @throws AppError `conflict`: it must not be used. */
  keep: (name: string) => Promise<string[]>;
}

export type Execute = (envelope: JobEnvelope, handle: JobHandle) => Promise<JobResult>;

/** A job in this worker's hands. */
export interface Running {
  job: Job;
  token: string;
  id: string;
  kind: string;
  pid?: number;
  resources?: JobResources;
  stop: AbortController;
}

export interface RunOptions {
  worker: string;
  execute: Execute;
  lockDurationMs: number;
  /** Lost runs without a new checkpoint after which a job is not run again. */
  quarantineAfter: number;
  /**
   * Finds what an earlier run has published, whose worker could not tell it any more: such a job has not failed, whatever became of its later runs.
   * While it throws, the job does not end.
   */
  published: (envelope: JobEnvelope) => Promise<JobResult | undefined>;
  onError: (error: unknown) => void;
  /** Called when something about the running jobs has changed that the worker announces. */
  onChange: () => void;
}

/** Runs a job that was taken from BullMQ, writes down how it ended, and only then tells BullMQ. */
export async function runJob(context: Context, running: Running, options: RunOptions): Promise<void> {
  const { job, token, id, stop } = running;
  const renew = async (): Promise<boolean> => {
    const [held, cancel] = await Promise.all([job.extendLock(token, options.lockDurationMs), isCancelled(context, id)]);
    if (cancel) stop.abort("cancelled" satisfies StopReason);
    return held === 1;
  };
  const lease = startLease(options.lockDurationMs, renew, () => stop.abort("lease" satisfies StopReason));
  try {
    const started = await startRun(context, { ...running, ...options });
    if (typeof started === "string") return await refuse(context, running, started, options);
    const { fence, record } = started;
    const outcome = await execute(context, running, fence, record, options);
    if (stop.signal.reason === "lease" && (await job.extendLock(token, options.lockDurationMs)) !== 1) return;
    await concludeRun(context, running, started, outcome, options);
  } catch (error) {
    options.onError(error);
  } finally {
    lease.stop();
  }
}

async function isCancelled({ redis, keys }: Context, id: string): Promise<boolean> {
  return (await redis.hexists(keys.job(id), "cancel")) === 1;
}

async function execute(
  context: Context,
  running: Running,
  fence: Fence,
  record: JobRecord,
  options: RunOptions,
): Promise<Outcome> {
  const { stop } = running;
  const telling = new Set<Promise<void>>();
  const emit = (event: NewJobEvent): void => {
    keepUntilSettled(telling, tell(running, fence, event).catch(options.onError));
  };
  try {
    const envelope = await resolveInputs(context, record);
    const result = await options.execute(envelope, {
      signal: stop.signal,
      emit,
      runsIn: (pid) => {
        running.pid = pid;
        options.onChange();
      },
      uses: (resources) => (running.resources = resources),
      epoch: fence.run.epoch,
      checkpoints: record.checkpoints,
      commit: fence.commit,
      keep: fence.keep,
    });
    return { type: "completed", result: jobResult.parse(result) };
  } catch (thrown) {
    return judge(thrown, stop.signal, record);
  } finally {
    if (stop.signal.reason !== "lease") await Promise.all(telling);
  }
}

/** Adds an event, also where Bull Board shows it; one of a run that is not the latest any more ends that run. */
async function tell({ job, stop }: Running, fence: Fence, event: NewJobEvent): Promise<void> {
  if (!(await fence.emit(event))) return stop.abort("lease" satisfies StopReason);
  if (event.type === "progress") await job.updateProgress({ fraction: event.fraction, stage: event.stage });
  if (event.type === "log") await job.log(`${event.level}: ${event.message}`);
}

function judge(thrown: unknown, signal: AbortSignal, { attempts, options }: JobRecord): Outcome {
  if (signal.reason === "lease") return { type: "lost" };
  if (signal.reason === "drain") return { type: "drained" };
  const error = toAppError(thrown);
  if (signal.reason === "cancelled" || error.code === "cancelled")
    return { type: "cancelled", error: new AppError("cancelled", "cancelled while it ran") };
  if (error.code === "worker_lost" || error.code === "out_of_memory") return { type: "crashed", error };
  const again = error.retryable && attempts + 1 < options.attempts;
  return { type: again ? "retry" : "failed", error };
}

/** The envelope with a digest where the parameters named a step. */
async function resolveInputs(context: Context, { envelope, inputs }: JobRecord): Promise<JobEnvelope> {
  const digests = await Promise.all(
    Object.entries(inputs).map(async ([param, from]) => {
      const digest = (await readRecord(context, from))?.end?.result?.artifact?.digest;
      if (digest !== undefined) return [param, digest] as const;
      throw new AppError("failed_dependency", `params.${param}: job ${from} has published no artifact`);
    }),
  );
  return { ...envelope, params: replaceReferences(envelope.params, Object.fromEntries(digests)) };
}
