import { defineJob, modelReference, type JobEnvelope, type JobResult } from "@whittle/contracts";
import { z } from "zod";
import type { Execute } from "./run-job.ts";

const params = z.strictObject({
  value: z.int().default(0),
  base: modelReference.optional(),
  teacher: modelReference.optional(),
  others: z.array(z.strictObject({ model: modelReference })).default([]),
});
const example = { value: 1 };

/** Kinds whose names say what matters to the queue: `make` and `change` publish a model, `look` does not. */
export const catalog = {
  make: defineJob({ kind: "make", title: "", description: "", params, models: {}, publishes: true, example }),
  change: defineJob({
    kind: "change",
    title: "",
    description: "",
    params,
    models: { base: "base", teacher: "teacher", "others.*.model": "teacher" },
    publishes: true,
    example,
  }),
  look: defineJob({
    kind: "look",
    title: "",
    description: "",
    params,
    models: { base: "base" },
    publishes: false,
    example,
  }),
};

/** What a job that went well returns: a digest made of its id. */
export function resultOf({ id, output }: JobEnvelope): JobResult {
  return { artifact: { name: output.name, version: 1, digest: digestOf(id) }, metrics: {} };
}

export function digestOf(id: string): string {
  return `sha256:${Buffer.from(id).toString("hex").padEnd(64, "0")}`;
}

export const succeed: Execute = async (envelope) => resultOf(envelope);

/** Runs until it is told to stop, and then throws. */
export const untilStopped: Execute = (_envelope, { signal }) =>
  new Promise((_resolve, reject) => {
    const stop = (): void => reject(new Error("stopped"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  });
