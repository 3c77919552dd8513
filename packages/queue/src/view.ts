import { AppError, type JobState, type JobView, type PipelineView } from "@whittle/contracts";
import { z } from "zod";
import type { Context } from "./connection.ts";
import { requireRecord, type JobRecord } from "./record.ts";

/** @throws AppError `not_found`. */
export async function jobView(context: Context, id: string): Promise<JobView> {
  return viewOf(await requireRecord(context, id));
}

export function viewOf(record: JobRecord): JobView {
  const { envelope, end, runs, attempts, losses, drains, progress } = record;
  const { id, kind, params, output, pipeline, createdAt } = envelope;
  const state = stateOf(record);
  const last = runs.at(-1);
  return {
    id,
    kind,
    state,
    params,
    output,
    ...(pipeline && { pipeline: { id: pipeline.id, step: pipeline.step } }),
    progress: state === "completed" ? { ...progress, fraction: 1 } : progress,
    attemptsMade: attempts,
    lostRuns: losses,
    drains,
    runs,
    createdAt,
    ...(last && { startedAt: last.startedAt }),
    ...(end && { finishedAt: end.at }),
    ...(last && state !== "waiting" && { worker: last.worker }),
    ...(end?.result && { result: end.result }),
    ...(end?.error && { error: end.error }),
  };
}

function stateOf({ place, end, running }: JobRecord): JobState {
  if (place !== "queue") return end?.state ?? "blocked";
  return running === undefined ? "waiting" : "running";
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
