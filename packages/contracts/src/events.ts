import { z } from "zod";
import { jobState } from "./job.ts";

const at = z.iso.datetime();

/** What happens to a job, in order; a job's logs, metrics over time and live events are all views of this one stream. */
export const jobEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("state"),
    at,
    state: jobState,
    worker: z.string().optional(),
    error: z.unknown().optional(),
  }),
  z.object({ type: z.literal("progress"), at, fraction: z.number().min(0).max(1), stage: z.string() }),
  z.object({ type: z.literal("log"), at, level: z.enum(["debug", "info", "warn", "error"]), message: z.string() }),
  /** Values at a step of a series: `{series: "epoch", step: 3, values: {loss: 0.31, valAccuracy: 0.89}}`. */
  z.object({
    type: z.literal("metrics"),
    at,
    series: z.string(),
    step: z.int(),
    values: z.record(z.string(), z.number()),
  }),
]);

export type JobEvent = z.infer<typeof jobEvent>;

type WithoutTime<E> = E extends unknown ? Omit<E, "at"> : never;
/** An event before the queue puts its time on it. */
export type NewJobEvent = WithoutTime<JobEvent>;

/** An event with its place in the stream; places compare as they came and are what `Last-Event-ID` carries. */
export type StoredJobEvent = JobEvent & { id: string };
