import {
  aliasRecord,
  datasetRecord,
  deletionRecord,
  digest,
  jobEvent,
  jobResources,
  jobResult,
  jobState,
  manifest,
  modelName,
  outputSpec,
  preprocessing,
  runOutcome,
  versionRecord,
  workerView,
  type JobView,
  type PipelineView,
} from "@whittle/contracts";
import type { LineageNode, ModelSummary } from "@whittle/store";
import { z } from "zod";
import { problem } from "./problem.ts";

const jobError = problem.pick({ code: true, issues: true }).partial({ issues: true }).extend({ message: z.string() });

const jobRun = z.object({
  epoch: z.int().meta({ description: "Counts the job's starts." }),
  worker: z.string(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  outcome: runOutcome.optional().meta({ description: "Absent while it runs." }),
  error: jobError.optional(),
  resources: jobResources.optional(),
});

export const jobView = z.object({
  id: z.string(),
  kind: z.string(),
  state: jobState,
  params: z.record(z.string(), z.unknown()),
  output: outputSpec,
  pipeline: z.object({ id: z.string(), step: z.string() }).optional(),
  progress: z.object({ fraction: z.number(), stage: z.string() }),
  attemptsMade: z.int().meta({ description: "Runs that completed, or failed with an error of the job itself." }),
  lostRuns: z.int().meta({ description: "Runs whose process or worker died; they use up no attempt." }),
  drains: z.int().meta({ description: "Runs that a leaving worker gave back." }),
  runs: z.array(jobRun).meta({ description: "The last starts of the job, oldest first." }),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
  worker: z.string().optional(),
  result: jobResult.optional(),
  error: jobError.optional(),
});

export const jobPage = z.object({ jobs: z.array(jobView), cursor: z.string().optional() });

export const pipelineView = z.object({
  id: z.string(),
  state: jobState,
  createdAt: z.iso.datetime(),
  steps: z.array(jobView.extend({ step: z.string() })),
});

export const eventList = z.array(z.intersection(jobEvent, z.object({ id: z.string() })));
export const model = z.object({
  name: modelName,
  versions: z.array(z.int()),
  aliases: z.record(z.string(), aliasRecord),
});
export const lineageNode: z.ZodType<LineageNode> = z.object({
  digest,
  names: z.array(z.string()),
  role: z.enum(["base", "teacher"]).optional(),
  get parents() {
    return z.array(lineageNode);
  },
});

export const dataset = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  licence: z.string(),
  inputShape: z.array(z.int()),
  vocabulary: z.array(z.string()).optional().meta({ description: "What each token id of a sequence stands for." }),
  labels: z.array(z.string()),
  preprocessing,
  samples: z.object({ train: z.int(), test: z.int() }),
  sources: z.array(z.looseObject({ type: z.enum(["debian", "npm", "bundled"]) })),
  /** Ids of the workers that can read it. */
  workers: z.array(z.string()),
});

export const stored = z.object({ digest, size: z.int().meta({ description: "Bytes." }) });

export const family = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  params: z.record(z.string(), z.unknown()).meta({ description: "JSON Schema of the parameters." }),
});

export const kind = z.object({
  kind: z.string(),
  title: z.string(),
  description: z.string(),
  publishes: z.boolean(),
  models: z.record(z.string(), z.enum(["base", "teacher"])),
  params: z.record(z.string(), z.unknown()).meta({ description: "JSON Schema of the parameters." }),
  example: z.unknown(),
});

/** What stands under `components` in the OpenAPI document. */
export const components = {
  Job: jobView,
  JobPage: jobPage,
  Pipeline: pipelineView,
  Model: model,
  Version: versionRecord,
  Alias: aliasRecord,
  Deletion: deletionRecord,
  Manifest: manifest,
  Lineage: lineageNode,
  Worker: workerView,
  Dataset: dataset,
  UploadedDataset: datasetRecord,
  Family: family,
  Kind: kind,
  Problem: problem,
} satisfies Record<string, z.ZodType>;

// The schemas describe what the queue and the store answer: each of their types must fit its schema's input.
export type Described = [
  JobView extends z.input<typeof jobView> ? true : never,
  PipelineView extends z.input<typeof pipelineView> ? true : never,
  ModelSummary extends z.input<typeof model> ? true : never,
];
