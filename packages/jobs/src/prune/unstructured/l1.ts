import { assignWeights, modelWeights, tf } from "@whittle/engine";
import { percent, trainingTensors, trainModel } from "../../shared/training.ts";
import type { Method, PruneJob } from "../method.ts";
import type { L1Params } from "./contract.ts";
import type { Cut } from "./magnitude-mask.ts";
import { applyMasks, assertZeros, masksOf, maskTensors, sparsityOf, type Masks } from "./masks.ts";

/** Cuts the weights of least magnitude and, where asked to, trains the others on. */
export const pruneByMagnitude: Method<L1Params> = async (job) => {
  const { model, base } = job;
  const masks = cut(job);
  const trainingSeconds = await fineTune(job, masks);
  assertZeros(modelWeights(model), masks);
  const { config } = base.manifest;
  const compression = { ...config.compression, prunedSparsity: sparsityOf(masks) };
  return { model, config: { ...config, compression }, trainingSeconds };
};

function cut({ context, model, params }: PruneJob<L1Params>): Masks {
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

function cutOf({ amount, threshold }: L1Params): Cut {
  return amount === undefined ? { threshold: threshold ?? 0 } : { amount };
}

/** @returns the seconds that it took, undefined when no fine-tuning was asked for. */
async function fineTune(
  { context, model, base, data, params: { fineTune: settings } }: PruneJob<L1Params>,
  cutMasks: Masks,
): Promise<number | undefined> {
  if (settings === undefined) return undefined;
  const tensors = trainingTensors(data, base.manifest.config.preprocessing, settings.validationSplit);
  const masks = maskTensors(modelWeights(model), cutMasks);
  try {
    const { seconds } = await trainModel(context, model, tensors, settings, { masks });
    return seconds;
  } finally {
    tf.dispose(masks);
    tensors.dispose();
  }
}
