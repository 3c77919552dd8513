import { z } from "zod";
import { jobOptions, type JobState, type JobView } from "./job.ts";
import { modelName } from "./references.ts";

/** One step: a job whose parameters may name an earlier step's artifact as `$step`. */
export const pipelineStep = jobOptions
  .extend({
    step: modelName.meta({ description: "The step's name, unique in its pipeline." }),
    kind: z.string(),
    params: z.record(z.string(), z.unknown()).default({}),
  })
  .strict();

export const pipelineRequest = z.object({
  steps: z.array(pipelineStep).min(1).max(64),
});

export type PipelineStep = z.infer<typeof pipelineStep>;
export type PipelineRequest = z.infer<typeof pipelineRequest>;

export interface PipelineView {
  id: string;
  state: JobState;
  createdAt: string;
  steps: (JobView & { step: string })[];
}
