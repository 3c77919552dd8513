import { modelWeights, predict, tf, type LossFunction } from "@whittle/engine";
import { distillationFrom, recoveryOptions } from "../../shared/distillation.ts";
import { trainModel, type Trained, type TrainingPart } from "../../shared/training.ts";
import { maskTensors, sparsityOf, zerosOf } from "../../shared/masks.ts";
import type { Pruning } from "./remove.ts";

/** The loss that fine-tuning goes by, undefined for the usual one. The caller disposes it. */
export interface Recovery {
  loss: LossFunction | undefined;
  dispose(): void;
}

export function recoveryOf({ params, model, samples, context }: Pruning): Recovery {
  if (params.recovery === "labels" || !samples) return { loss: undefined, dispose: () => undefined };
  context.progress(0.04, "asking the model before pruning");
  const answers = predict(model, samples.x);
  return { loss: distillationFrom(answers, recoveryOptions), dispose: () => answers.dispose() };
}

/** Trains what is left after a round, from 1. Weights that are zero from an earlier pruning stay so. @returns undefined when no training was asked for. */
export async function fineTune(
  pruning: Pruning,
  model: tf.LayersModel,
  { loss }: Recovery,
  round: number,
): Promise<Trained | undefined> {
  const { params, samples, base } = pruning;
  const { fineTune: settings, rounds } = params;
  if (!settings || !samples) return undefined;
  const sparse = base.manifest.config.compression?.prunedSparsity !== undefined;
  const weights = modelWeights(model);
  const masks = sparse ? maskTensors(weights, zerosOf(weights)) : {};
  try {
    const part = rounds > 1 && { part: partOf(round, rounds, settings.epochs) };
    const extras = { masks, ...(loss && { loss }), ...part };
    return await trainModel(pruning.context, model, samples, settings, extras);
  } finally {
    tf.dispose(masks);
  }
}

/** The share of zeros of a model that was made sparse before; undefined where it was not. */
export function sparsityLeft({ base }: Pruning, model: tf.LayersModel): number | undefined {
  if (base.manifest.config.compression?.prunedSparsity === undefined) return undefined;
  return sparsityOf(zerosOf(modelWeights(model)));
}

/** Its epochs go on where those of the round before ended. */
function partOf(round: number, rounds: number, epochs: number): TrainingPart {
  const before = round - 1;
  return { name: `round ${round}/${rounds}`, before, of: rounds, epochsBefore: before * epochs };
}
