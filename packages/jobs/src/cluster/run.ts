import type { TrainingSettings } from "@whittle/contracts";
import { assignWeights, modelWeights, type tf } from "@whittle/engine";
import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDatasetOf } from "../shared/data.ts";
import { exportTrainable, measured } from "../shared/draft.ts";
import { checkFits, openArtifact, openTrainable, refuse, type Artifact } from "../shared/model.ts";
import { foldBatchNorms } from "../shared/network/fold-batch-norm.ts";
import { buildNetwork, networkOf } from "../shared/network/network.ts";
import { trainingSamples, trainModel, type Trained, type TrainingSamples } from "../shared/training.ts";
import { startEngine } from "../shared/zoo-model.ts";
import type { ClusterParams } from "./contract.ts";
import { averaged, shareWeights, trainShared, type Sharing } from "./shared-weights.ts";

/** Gives the weights of each layer a few values to share, trains these on where asked to, and measures the model. */
export async function run(params: ClusterParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const backend = await startEngine(context);
  const base = await openArtifact(context, "model", params.model);
  const data = await openDatasetOf(context, base, params);
  checkFits(base, data);
  const model = await openFolded(context, base);
  try {
    const { config } = base.manifest;
    const { fineTune } = params;
    const sharings = cluster(context, model, params.clusters);
    const samples = fineTune && trainingSamples(data, config.preprocessing, fineTune.validationSplit);
    const training = samples && (await train(context, model, { samples, sharings, settings: fineTune }));
    const exported = await exportTrainable(context, model, config);
    const job = { kind: "cluster", params };
    const parents = [{ role: "base" as const, digest: base.digest }];
    const metrics = { clusters: mostValues(model, sharings) };
    return await measured(context, { config, job, data, parents, ...exported, backend, training, metrics });
  } finally {
    model.dispose();
  }
}

/** The model with its batch normalizations folded, as it is exported: the weights that share values are those of the file. */
async function openFolded(context: JobContext, base: Artifact): Promise<tf.LayersModel> {
  const model = await openTrainable(context, base);
  const network = networkOf(model);
  const folded = foldBatchNorms(network);
  const count = network.calls.length - folded.calls.length;
  if (count === 0) return model;
  context.log("info", `${count} batch normalizations are folded into the layers before them, as they are for serving`);
  model.dispose();
  return buildNetwork(folded);
}

function cluster(context: JobContext, model: tf.LayersModel, clusters: number): Map<string, Sharing> {
  context.progress(0.05, "finding clusters");
  const { weights, sharings } = shareWeights(modelWeights(model), clusters);
  if (sharings.size === 0) refuse("model", "it has no layer with a kernel whose weights could share values");
  assignWeights(model, weights);
  for (const name of sharings.keys()) {
    const { data = new Float32Array() } = weights[name] ?? {};
    context.log("info", `${name}: ${data.length} weights have ${new Set(data).size} different values`);
  }
  return sharings;
}

interface Training {
  samples: TrainingSamples;
  settings: TrainingSettings;
  sharings: ReadonlyMap<string, Sharing>;
}

async function train(
  context: JobContext,
  model: tf.LayersModel,
  { samples, settings, sharings }: Training,
): Promise<Trained> {
  const { reparametrize, dispose } = trainShared(sharings);
  try {
    const trained = await trainModel(context, model, samples, settings, { reparametrize });
    assignWeights(model, averaged(modelWeights(model), sharings));
    return trained;
  } finally {
    dispose();
  }
}

/** The most different values that the weights of a layer have. */
function mostValues(model: tf.LayersModel, sharings: ReadonlyMap<string, Sharing>): number {
  const weights = modelWeights(model);
  return Math.max(...[...sharings.keys()].map((name) => new Set(weights[name]?.data).size));
}
