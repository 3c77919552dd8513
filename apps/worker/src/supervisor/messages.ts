import { jobEnvelope, jobEvent, jobResult, type NewJobEvent } from "@whittle/contracts";
import { z } from "zod";

/** What the worker tells a job's process. */
export const toChild = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("run"),
    envelope: jobEnvelope,
    store: z.string(),
    datasetDirs: z.array(z.string()),
    workDir: z.string(),
  }),
  z.object({ type: z.literal("cancel"), reason: z.string() }),
]);

const serializedError = z.object({
  code: z.string(),
  message: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** What a job's process tells the worker; after `result` or `error` it ends. */
export const fromChild = z.discriminatedUnion("type", [
  z.object({ type: z.literal("event"), event: z.custom<NewJobEvent>(isNewJobEvent) }),
  z.object({ type: z.literal("result"), result: jobResult }),
  z.object({ type: z.literal("error"), error: serializedError }),
]);

export type ToChild = z.infer<typeof toChild>;
export type FromChild = z.infer<typeof fromChild>;

function isNewJobEvent(value: unknown): boolean {
  return jobEvent.safeParse({ ...Object(value), at: new Date(0).toISOString() }).success;
}
