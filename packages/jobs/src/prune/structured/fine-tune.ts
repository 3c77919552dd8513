import { modelWeights, predict, tf, type LossFunction } from "@whittle/engine";
import type { JobContext } from "../../shared/context.ts";
import { distillationFrom, recoveryOptions } from "../../shared/distillation.ts";
import { trainModel } from "../../shared/training.ts";
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

/** Trains what is left after a round, from 1. Weights that are zero from an earlier pruning stay so. @returns the seconds it took. */
export async function fineTune(
  pruning: Pruning,
  model: tf.LayersModel,
  { loss }: Recovery,
  round: number,
): Promise<number> {
  const { params, samples, base } = pruning;
  const { fineTune: settings, rounds } = params;
  if (!settings || !samples) return 0;
  const sparse = base.manifest.config.compression?.prunedSparsity !== undefined;
  const weights = modelWeights(model);
  const masks = sparse ? maskTensors(weights, zerosOf(weights)) : {};
  try {
    const context = roundOf(pruning.context, round, rounds, settings.epochs);
    const part = rounds === 1 ? {} : { part: `round-${round}` };
    const { seconds } = await trainModel(context, model, samples, settings, { masks, ...(loss && { loss }), ...part });
    return seconds;
  } finally {
    tf.dispose(masks);
  }
}

/** The share of zeros of a model that was made sparse before; undefined where it was not. */
export function sparsityLeft({ base }: Pruning, model: tf.LayersModel): number | undefined {
  if (base.manifest.config.compression?.prunedSparsity === undefined) return undefined;
  return sparsityOf(zerosOf(modelWeights(model)));
}

/** What a round tells, as a part of the job: its epochs go on where those of the round before ended. */
function roundOf(context: JobContext, round: number, rounds: number, epochs: number): JobContext {
  if (rounds === 1) return context;
  return {
    ...context,
    progress: (fraction, stage) => {
      context.progress(
        0.1 + (0.8 * (round - 1 + (fraction - 0.1) / 0.8)) / rounds,
        `round ${round}/${rounds}: ${stage}`,
      );
    },
    metrics: (series, step, values) => context.metrics(series, (round - 1) * epochs + step, values),
  };
}
