import { jobEnvelope, jobEvent, jobResources, jobResult, type NewJobEvent } from "@whittle/contracts";
import { z } from "zod";

const serializedError = z.object({
  code: z.string(),
  message: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** What a job's process must ask before it does it: to publish, or to make a checkpoint the one to go on from. */
const question = z.discriminatedUnion("what", [
  z.object({ what: z.literal("commit") }),
  z.object({ what: z.literal("keep"), name: z.string() }),
]);

/** What the worker tells a job's process. */
export const toChild = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("run"),
    envelope: jobEnvelope,
    epoch: z.int().positive(),
    /** Checkpoints to go on from, in the job's scratch space, the newest first. */
    checkpoints: z.array(z.string()),
    store: z.string(),
    datasetDirs: z.array(z.string()),
    workDir: z.string(),
  }),
  /** `names`: the checkpoints that are not needed any more. */
  z.object({
    type: z.literal("answer"),
    id: z.int(),
    names: z.array(z.string()).default([]),
    error: serializedError.optional(),
  }),
  z.object({ type: z.literal("cancel"), reason: z.string() }),
  /** To a process that has no job yet: to load what jobs need, and to say so; asked again, it says so at once. */
  z.object({ type: z.literal("prepare") }),
]);

/** What a job's process tells the worker; after `result` or `error` it ends. `beat` says that its event loop runs. */
export const fromChild = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("beat") }),
  z.object({ type: z.literal("event"), event: z.custom<NewJobEvent>(isNewJobEvent) }),
  z.object({ type: z.literal("ask"), id: z.int(), question }),
  z.object({ type: z.literal("result"), result: jobResult, resources: jobResources.optional() }),
  z.object({ type: z.literal("error"), error: serializedError, resources: jobResources.optional() }),
]);

export type ToChild = z.input<typeof toChild>;
export type Task = Extract<z.infer<typeof toChild>, { type: "run" }>;
export type FromChild = z.infer<typeof fromChild>;
export type Question = z.infer<typeof question>;

function isNewJobEvent(value: unknown): boolean {
  return jobEvent.safeParse({ ...Object(value), at: new Date(0).toISOString() }).success;
}
