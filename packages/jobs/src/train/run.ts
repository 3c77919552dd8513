import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDataset } from "../shared/data.ts";
import { exportTrainable, measured } from "../shared/draft.ts";
import { trainingSamples, trainModel } from "../shared/training.ts";
import { buildClassifier, classifierConfig, startEngine } from "../shared/zoo-model.ts";
import type { TrainParams } from "./contract.ts";

/** Builds a model of the zoo and trains it with cross entropy. */
export async function run(params: TrainParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const backend = await startEngine(context);
  const data = await openDataset(context, params.dataset, params);
  const config = classifierConfig(params, data, data.preprocessing);
  const samples = trainingSamples(data, config.preprocessing, params.validationSplit);
  const model = buildClassifier(params, data, params.seed);
  try {
    const training = await trainModel(context, model, samples, params);
    const exported = await exportTrainable(context, model, config);
    const job = { kind: "train", params };
    return await measured(context, { config, job, data, parents: [], ...exported, backend, training });
  } finally {
    model.dispose();
  }
}
