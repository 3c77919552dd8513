import type { AppError } from "@whittle/contracts";
import type { ModelWeights } from "../model-io/weights.ts";
import type { Progress } from "./best.ts";
import type { Totals } from "./tally.ts";
import type { EpochPoint } from "./types.ts";

/**
 * Everything that a training needs to go on as if it had never stopped. The order of the samples, the dropout and the augmentation
 * follow from the seed, the epoch and the step, so their place is all there is to keep.
 */
export interface Checkpoint {
  /** Epochs finished, steps done in the one after them, and steps in all. */
  epoch: number;
  batch: number;
  step: number;
  /** What the steps done in the epoch under way took. */
  epochSeconds: number;
  totals: Totals;
  weights: ModelWeights;
  /** What the optimizer remembers, the averages, the variables of the loss, and masks that may change. */
  state: ModelWeights;
  progress: Progress;
  bestWeights?: ModelWeights;
  history: EpochPoint[];
}

/**
 * Where a training's checkpoints go and come from; `storedCheckpoints` makes them of numbered files, which can lie in a folder or
 * anywhere else.
 */
export interface CheckpointHooks {
  /** The checkpoint to go on from, if there is one. */
  load(): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
  /** Told why a loaded checkpoint does not fit the model or the settings: the training then starts over. Left out: it is an error. */
  refused?(error: AppError): void;
  /**
   * At most this long between two, in seconds; 30 by default. Within that they follow the ends of epochs as far as that costs little, see
   * `CheckpointTimes`. One is saved always when the training is aborted and when it has come to its end: the next training of a job, or
   * what judges the model, then never makes it run again.
   */
  everySeconds?: number;
}
