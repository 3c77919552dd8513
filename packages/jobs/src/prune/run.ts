import { assignWeights, modelWeights, tf } from "@whittle/engine";
import type { Dataset } from "@whittle/zoo";
import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDatasetOf } from "../shared/data.ts";
import { exportTrainable, measured } from "../shared/draft.ts";
import { checkFits, openArtifact, openTrainable, type Artifact } from "../shared/model.ts";
import { percent, trainingTensors, trainModel } from "../shared/training.ts";
import { startEngine } from "../shared/zoo-model.ts";
import type { PruneParams } from "./contract.ts";
import type { Cut } from "./magnitude-mask.ts";
import { applyMasks, assertZeros, masksOf, maskTensors, sparsityOf, type Masks } from "./masks.ts";

/** Cuts the weights of least magnitude and, where asked to, trains the others on. */
export async function run(params: PruneParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const backend = await startEngine(context);
  const base = await openArtifact(context, "model", params.model);
  const data = await openDatasetOf(context, base, params);
  checkFits(base, data);
  const model = await openTrainable(context, base);
  try {
    const masks = cut(context, model, params);
    const trainingSeconds = await fineTune(context, model, masks, base, data, params);
    assertZeros(modelWeights(model), masks);
    const compression = { ...base.manifest.config.compression, prunedSparsity: sparsityOf(masks) };
    const config = { ...base.manifest.config, compression };
    const exported = await exportTrainable(model, config);
    const job = { kind: "prune", params };
    const parents = [{ role: "base" as const, digest: base.digest }];
    return await measured(context, { config, job, data, parents, ...exported, backend, trainingSeconds });
  } finally {
    model.dispose();
  }
}

function cut(context: JobContext, model: tf.LayersModel, params: PruneParams): Masks {
  context.progress(0.04, "pruning");
  const weights = modelWeights(model);
  const masks = masksOf(weights, params.scope, cutOf(params));
  assignWeights(model, applyMasks(weights, masks));
  for (const [name, mask] of Object.entries(masks)) {
    const zeros = mask.reduce((sum, keep) => sum + 1 - keep, 0);
    context.log("info", `${name}: ${zeros} of ${mask.length} weights are zero (${percent(zeros / mask.length)})`);
  }
  return masks;
}

function cutOf({ amount, threshold }: PruneParams): Cut {
  return amount === undefined ? { threshold: threshold ?? 0 } : { amount };
}

/** @returns the seconds that it took, undefined when no fine-tuning was asked for. */
async function fineTune(
  context: JobContext,
  model: tf.LayersModel,
  cutMasks: Masks,
  { manifest }: Artifact,
  data: Dataset,
  { fineTune: settings }: PruneParams,
): Promise<number | undefined> {
  if (settings === undefined) return undefined;
  const tensors = trainingTensors(data, manifest.config.preprocessing, settings.validationSplit);
  const masks = maskTensors(modelWeights(model), cutMasks);
  try {
    const { seconds } = await trainModel(context, model, tensors, settings, { masks });
    return seconds;
  } finally {
    tf.dispose(masks);
    tensors.dispose();
  }
}
