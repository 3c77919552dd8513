import { defineJob } from "@whittle/contracts";
import { z } from "zod";

export const params = z.strictObject({
  /** Which submission it is: a job that exists twice shows itself by it. */
  submission: z.int().nonnegative(),
  steps: z.int().min(1),
  stepMs: z.number().min(0),
  /** Steps from one checkpoint to the next. */
  interval: z.int().min(1),
  /** Size of a checkpoint and of the artifact. */
  bytes: z.int().min(1),
  /** Folder that the job writes down in what it does. */
  witness: z.string(),
});

export type ChaosParams = z.infer<typeof params>;

/** A job that does nothing but what can go wrong with jobs: steps, checkpoints, an artifact that depends on every step. */
export const definition = defineJob({
  kind: "chaos",
  title: "Steps and checkpoints",
  description: "Counts steps and keeps checkpoints.",
  params,
  models: {},
  publishes: true,
  example: { submission: 0, steps: 10, stepMs: 10, interval: 5, bytes: 1000, witness: "/tmp" },
});
