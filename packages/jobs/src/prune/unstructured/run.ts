import type { TrainingSettings } from "@whittle/contracts";
import { assignWeights, modelWeights, tf } from "@whittle/engine";
import {
  trainingSamples,
  trainModel,
  type Trained,
  type TrainingExtras,
  type TrainingSamples,
} from "../../shared/training.ts";
import { refuse } from "../../shared/model.ts";
import type { Method, PruneJob } from "../method.ts";
import { reportFiles } from "../report.ts";
import { patternOf, type UnstructuredParams } from "./contract.ts";
import { gradualMasks } from "./gradual.ts";
import {
  applyMasks,
  assertZeros,
  kernelsOf,
  maskTensors,
  sparsityOf,
  zerosOf,
  type Kernel,
  type Masks,
} from "../../shared/masks.ts";
import { describeReport, reportOf } from "./report.ts";
import { beginningOf } from "./rewind.ts";
import { scoresOf } from "./scores/index.ts";
import { leftOver, selectWeights, type Cut } from "./select.ts";
import { sensitivityOf } from "./sensitivity.ts";

/** A pruning of single weights under way. */
export interface WeightPruning extends PruneJob<UnstructuredParams> {
  /** What the model is trained with, undefined where it is only cut. */
  settings: TrainingSettings | undefined;
  samples: () => TrainingSamples;
}

/** Makes the weights of least score zero, before or while the others are trained on. */
export const pruneWeights: Method<UnstructuredParams> = async (job) => {
  const { context, model, base, data, params } = job;
  const beginning = params.rewind === "initial" ? beginningOf(job) : undefined;
  const settings = params.fineTune ?? beginning?.settings;
  const samples = () => trainingSamples(data, base.manifest.config.preprocessing, settings?.validationSplit ?? 0.1);
  const pruning = { ...job, settings, samples };
  context.progress(0.02, "scoring weights");
  const weights = modelWeights(model);
  const kernels = kernelsOf(weights);
  const scores = scoresOf(pruning, kernels);
  const sensitivity = params.sensitivity ? await sensitivityOf(pruning, kernels, scores) : undefined;
  context.progress(0.08, "pruning");
  const isGradual = "gradual" in params && params.gradual !== undefined;
  const cut = isGradual ? zerosOf(weights) : masksOf(pruning, kernels, scores);
  assignWeights(model, applyMasks(beginning?.weights ?? weights, cut));
  const training = await train(pruning, cut);
  const masks = isGradual ? zerosOf(modelWeights(model)) : cut;
  assertZeros(modelWeights(model), masks);
  const report = reportOf(masks, sensitivity);
  for (const line of describeReport(report)) context.log("info", line);
  const { config } = base.manifest;
  const compression = { ...config.compression, prunedSparsity: sparsityOf(masks) };
  const reports = reportFiles(report, "weights");
  return { model, config: { ...config, compression }, training, reports };
};

function masksOf({ context, params }: WeightPruning, kernels: Kernel[], scores: Float32Array[]): Masks {
  const cut = cutOf(params);
  for (const kernel of "of" in cut ? kernels : []) {
    const rest = "of" in cut ? leftOver(kernel, cut.of) : 0;
    if (rest > 0)
      context.log("warn", `${kernel.name}: ${rest} of its inputs make no whole group and keep their weights`);
  }
  const masks = selectWeights(kernels, scores, params.scope, cut);
  if ("threshold" in cut && masks.every((mask) => !mask.includes(1))) {
    const largest = scores.reduce((max, layer) => layer.reduce((a, b) => Math.max(a, b), max), 0);
    refuse(
      "threshold",
      `must be at most ${largest}, the largest magnitude, or every weight is zero; not ${cut.threshold}`,
    );
  }
  return Object.fromEntries(kernels.map(({ name }, at) => [name, masks[at] ?? new Uint8Array()]));
}

function cutOf(params: UnstructuredParams): Cut {
  const { amount, pattern } = params;
  if (amount !== undefined) return { amount };
  if (pattern === undefined) return { threshold: "threshold" in params ? (params.threshold ?? 0) : 0 };
  const [keep, of] = patternOf(pattern);
  return { keep, of };
}

/** @returns undefined when no training was asked for. */
async function train(pruning: WeightPruning, cut: Masks): Promise<Trained | undefined> {
  const { context, model, settings } = pruning;
  if (settings === undefined) return undefined;
  const { dispose, ...extras } = masksFor(pruning, cut);
  // The epochs of a gradual pruning differ in their zeros: the best of them may have too few.
  const restoreBest = settings.restoreBest && !extras.beforeStep;
  try {
    return await trainModel(context, model, pruning.samples(), { ...settings, restoreBest }, extras);
  } finally {
    dispose();
  }
}

function masksFor({ model, params }: WeightPruning, cut: Masks): TrainingExtras & { dispose: () => void } {
  if ("gradual" in params && params.gradual && params.amount !== undefined) {
    const { amount, scope, gradual } = params;
    return gradualMasks(model, cut, { amount, scope, gradual });
  }
  const masks = maskTensors(modelWeights(model), cut);
  return { masks, dispose: () => tf.dispose(masks) };
}
