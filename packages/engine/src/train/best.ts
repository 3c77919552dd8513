import type { EarlyStopping, TrainingSettings } from "@whittle/contracts";
import type { EpochPoint } from "./types.ts";

/** What early stopping and the choice of the best epoch remember; plain data, part of a checkpoint. */
export interface Progress {
  /** The best epoch so far (from 1; 0: none) and its value. Ties go to the earlier epoch. */
  bestEpoch: number;
  best: number;
  /** The value that the next improvement is measured against, and the epochs since it was reached. */
  reference: number;
  waited: number;
}

export const noProgress: Progress = { bestEpoch: 0, best: -Infinity, reference: -Infinity, waited: 0 };

/** The monitored value of an epoch, larger being better: of the validation samples where there are any. */
export function score(point: EpochPoint, monitor: TrainingSettings["monitor"]): number {
  return monitor === "accuracy" ? (point.valAccuracy ?? point.accuracy) : -(point.valLoss ?? point.loss);
}

/** Progress after an epoch; as in Keras, an epoch counts for the patience only if it is better by more than `minDelta`. */
export function advance(progress: Progress, epoch: number, value: number, stopping?: EarlyStopping): Progress {
  const isBest = value > progress.best;
  const improved = value - (stopping?.minDelta ?? 0) > progress.reference;
  return {
    bestEpoch: isBest ? epoch : progress.bestEpoch,
    best: isBest ? value : progress.best,
    reference: improved ? value : progress.reference,
    waited: improved ? 0 : progress.waited + 1,
  };
}

export function shouldStop(progress: Progress, stopping?: EarlyStopping): boolean {
  return stopping !== undefined && progress.waited >= stopping.patience;
}
