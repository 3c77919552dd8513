import {
  AppError,
  jobResult,
  toAppError,
  type JobEnvelope,
  type JobResult,
  type NewJobEvent,
} from "@whittle/contracts";
import { UnrecoverableError, type Job } from "bullmq";
import type { Context } from "./connection.ts";
import { addEvent } from "./events.ts";
import { startLease } from "./lease.ts";
import { maxLostWorkers } from "./limits.ts";
import { keepUntilSettled } from "./pending.ts";
import { encodeError, readRecord, requireRecord, type JobEnd, type JobRecord } from "./record.ts";
import { propagate } from "./settle.ts";
import { end } from "./transitions.ts";
import { progressOf } from "./view.ts";

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
}

export type Execute = (envelope: JobEnvelope, handle: JobHandle) => Promise<JobResult>;

/** A job in this worker's hands. */
export interface Running {
  job: Job;
  token: string;
  id: string;
  kind: string;
  pid?: number;
  stop: AbortController;
}

export interface RunOptions {
  worker: string;
  execute: Execute;
  lockDurationMs: number;
  onError: (error: unknown) => void;
  /** Called when something about the running jobs has changed that the worker announces. */
  onChange: () => void;
}

type Outcome =
  | { type: "completed"; result: JobResult }
  | { type: "failed" | "cancelled" | "retry"; error: AppError }
  | { type: "requeue" };

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
    const record = await requireRecord(context, id);
    const outcome = alreadyDecided(record, job) ?? (await execute(context, running, record, options));
    if (stop.signal.reason === "lease" && (await job.extendLock(token, options.lockDurationMs)) !== 1) return;
    await writeDown(context, running, outcome, options.worker);
    await finish(running, outcome);
  } catch (error) {
    options.onError(error);
  } finally {
    lease.stop();
  }
}

async function isCancelled({ redis, keys }: Context, id: string): Promise<boolean> {
  return (await redis.hexists(keys.job(id), "cancel")) === 1;
}

function alreadyDecided(record: JobRecord, job: Job): Outcome | undefined {
  if (record.end?.state === "completed" && record.end.result) return { type: "completed", result: record.end.result };
  if (record.end) return { type: "failed", error: toAppError(record.end.error) };
  if (record.cancel !== undefined)
    return { type: "cancelled", error: new AppError("cancelled", "cancelled before it ran") };
  if (job.stalledCounter <= maxLostWorkers) return undefined;
  return {
    type: "failed",
    error: new AppError("worker_lost", `${job.stalledCounter} workers were lost while they ran it`),
  };
}

async function execute(context: Context, running: Running, record: JobRecord, options: RunOptions): Promise<Outcome> {
  const { job, id, stop } = running;
  const telling = new Set<Promise<void>>();
  const tell = async (event: NewJobEvent): Promise<void> => {
    await Promise.all([addEvent(context, id, event), mirror(job, event)]);
  };
  const emit = (event: NewJobEvent): void => {
    keepUntilSettled(telling, tell(event).catch(options.onError));
  };
  try {
    emit({ type: "state", state: "running", worker: options.worker });
    const envelope = await resolveInputs(context, record);
    const runsIn = (pid: number): void => {
      running.pid = pid;
      options.onChange();
    };
    const result = await options.execute(envelope, { signal: stop.signal, emit, runsIn });
    return { type: "completed", result: jobResult.parse(result) };
  } catch (thrown) {
    return judge(thrown, stop.signal, job);
  } finally {
    if (stop.signal.reason !== "lease") await Promise.all(telling);
  }
}

function judge(thrown: unknown, signal: AbortSignal, job: Job): Outcome {
  if (signal.reason === "lease" || signal.reason === "drain") return { type: "requeue" };
  if (signal.reason === "cancelled")
    return { type: "cancelled", error: new AppError("cancelled", "cancelled while it ran") };
  const error = toAppError(thrown);
  const again = error.retryable && job.attemptsMade + 1 < (job.opts.attempts ?? 1);
  return { type: again ? "retry" : "failed", error };
}

/** The envelope with a digest where the parameters named a step. */
async function resolveInputs(context: Context, { envelope, inputs }: JobRecord): Promise<JobEnvelope> {
  const digests = await Promise.all(
    Object.entries(inputs).map(async ([param, from]) => {
      const digest = (await readRecord(context, from))?.end?.result?.artifact?.digest;
      if (digest !== undefined) return [param, digest] as const;
      throw new AppError(
        "failed_dependency",
        `${String(envelope.params[param])} (job ${from}) has published no artifact`,
      );
    }),
  );
  return { ...envelope, params: { ...envelope.params, ...Object.fromEntries(digests) } };
}

/** Progress and logs as Bull Board shows them. */
async function mirror(job: Job, event: NewJobEvent): Promise<void> {
  if (event.type === "progress") await job.updateProgress({ fraction: event.fraction, stage: event.stage });
  if (event.type === "log") await job.log(`${event.level}: ${event.message}`);
}

async function writeDown(context: Context, { job, id }: Running, outcome: Outcome, worker: string): Promise<void> {
  if (outcome.type === "requeue" || outcome.type === "retry") {
    return addEvent(context, id, {
      type: "state",
      state: "waiting",
      ...(outcome.type === "retry" && { error: outcome.error }),
    });
  }
  const how: JobEnd = {
    state: outcome.type,
    at: new Date().toISOString(),
    startedAt: new Date(job.processedOn ?? Date.now()).toISOString(),
    worker,
    attemptsMade: job.attemptsMade + 1,
    progress: { ...progressOf(job), ...(outcome.type === "completed" && { fraction: 1 }) },
    ...(outcome.type === "completed" ? { result: outcome.result } : { error: outcome.error.toJSON() }),
  };
  await end(context, id, "queue", how);
  await propagate(context, id, await requireRecord(context, id));
}

async function finish({ job, token }: Running, outcome: Outcome): Promise<void> {
  if (outcome.type === "completed") await job.moveToCompleted(outcome.result, token, false);
  else if (outcome.type === "requeue") await job.moveToWait(token);
  else if (outcome.type === "retry") await job.moveToFailed(new Error(encodeError(outcome.error.toJSON())), token);
  else await job.moveToFailed(new UnrecoverableError(encodeError(outcome.error.toJSON())), token);
}
