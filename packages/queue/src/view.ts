import { AppError, type JobState, type JobView, type PipelineView } from "@whittle/contracts";
import type { Job } from "bullmq";
import { z } from "zod";
import type { Context } from "./connection.ts";
import { progress, readRecord, requireRecord, type JobRecord } from "./record.ts";

/** @throws AppError `not_found`. */
export async function jobView(context: Context, id: string): Promise<JobView> {
  return viewOf(context, await requireRecord(context, id));
}

/** A job's view, asking BullMQ about those that are in its hands. */
export async function viewOf(context: Context, record: JobRecord): Promise<JobView> {
  if (record.place !== "queue") return staticView(record);
  const { id, kind } = record.envelope;
  // State first: a job that ends in between is then seen as running, with the data of its end left out.
  const state = await context.queue(kind).getJobState(id);
  const job: Job | undefined = await context.queue(kind).getJob(id);
  const again =
    state === "active" || state === "waiting" || state === "prioritized" ? record : await readRecord(context, id);
  return again && again.place !== "queue" ? staticView(again) : liveView(record, state === "active", job);
}

function staticView(record: JobRecord): JobView {
  const { end } = record;
  if (!end) return { ...basics(record, "blocked"), progress: { fraction: 0, stage: "" }, attemptsMade: 0 };
  const { state, at, startedAt, worker, result, error, attemptsMade, progress: reached } = end;
  return {
    ...basics(record, state),
    progress: reached,
    attemptsMade,
    ...(startedAt !== undefined && { startedAt }),
    finishedAt: at,
    ...(worker !== undefined && { worker }),
    ...(result && { result }),
    ...(error && { error }),
  };
}

function liveView(record: JobRecord, running: boolean, job: Job | undefined): JobView {
  return {
    ...basics(record, running ? "running" : "waiting"),
    progress: progressOf(job),
    attemptsMade: job?.attemptsMade ?? 0,
    ...(job?.processedOn && { startedAt: new Date(job.processedOn).toISOString() }),
    ...(running && job?.processedBy && { worker: job.processedBy }),
  };
}

export function progressOf(job: Job | undefined): { fraction: number; stage: string } {
  const parsed = progress.safeParse(job?.progress);
  return parsed.success ? parsed.data : { fraction: 0, stage: "" };
}

function basics({ envelope }: JobRecord, state: JobState) {
  const { id, kind, params, output, pipeline, createdAt } = envelope;
  const step = pipeline && { pipeline: { id: pipeline.id, step: pipeline.step } };
  return { id, kind, state, params, output, ...step, createdAt };
}

const storedPipeline = z.object({ createdAt: z.string(), steps: z.array(z.tuple([z.string(), z.string()])) });

/** @throws AppError `not_found`. */
export async function pipelineView(context: Context, id: string): Promise<PipelineView> {
  const text = await context.redis.get(context.keys.pipeline(id));
  if (text === null) throw new AppError("not_found", `there is no pipeline ${id}`);
  const stored = storedPipeline.parse(JSON.parse(text));
  const steps = await Promise.all(
    stored.steps.map(async ([step, job]) => ({ step, ...(await jobView(context, job)) })),
  );
  return { id, state: pipelineState(steps.map(({ state }) => state)), createdAt: stored.createdAt, steps };
}

/** `failed` or `cancelled` as soon as it can't complete any more, `running` while anything runs or is between two steps. */
function pipelineState(steps: JobState[]): JobState {
  const has = (state: JobState): boolean => steps.includes(state);
  if (has("cancelled")) return "cancelled";
  if (has("failed")) return "failed";
  if (steps.every((state) => state === "completed")) return "completed";
  return has("running") || has("completed") ? "running" : "waiting";
}
