import type { TrainingSettings, trainingSettings } from "@whittle/contracts";
import type { z } from "zod";
import type { tf } from "../tf.ts";
import type { CheckpointHooks } from "./checkpoint.ts";
import type { Execution } from "./execution.ts";
import type { Reparametrize } from "./forward.ts";
import type { LossFunction } from "./loss.ts";
import type { Inputs } from "./raw.ts";

/** One finished epoch. Losses are means over the samples; those of training are taken while the weights change. */
export interface EpochPoint {
  /** From 1. */
  epoch: number;
  loss: number;
  accuracy: number;
  /** Mean cross-entropy of the validation samples. */
  valLoss?: number;
  valAccuracy?: number;
  /** The learning rate of the epoch's last step. */
  learningRate: number;
  /** What its steps took, over all attempts; judging the validation samples not included. */
  seconds: number;
}

/** Where a training is after a step. */
export interface BatchPoint {
  /** The epoch that the step belongs to, from 1. */
  epoch: number;
  /** Steps done: in this epoch and of how many; in the whole training and of how many. */
  batch: number;
  batches: number;
  step: number;
  steps: number;
  /** Means over the epoch so far. Reading waits for the device: not at every step. */
  read(): { loss: number; accuracy: number };
}

/** The settings and their defaults are those of `trainingSettings`; the validation samples are given as such. */
export interface FitOptions extends Omit<z.input<typeof trainingSettings>, "validationSplit"> {
  x: Inputs;
  /** Class indices [n]. */
  y: Int32Array | tf.Tensor;
  /** By default the cross-entropy of the logits. */
  loss?: LossFunction;
  /** Names of layers whose outputs the loss is given. */
  taps?: string[];
  /** What the loss has to learn besides, such as projections: changed by the optimizer, part of checkpoints, no part of the model. */
  lossVariables?: tf.Variable[];
  validation?: { x: Inputs; y: Int32Array | tf.Tensor };
  /**
   * Multiplied into the weight of that name (as in the weight manifest) before the first and after every step. A mask that is a
   * variable may change between steps: it counts from the next step on, and is part of checkpoints.
   */
  masks?: Record<string, tf.Tensor>;
  /**
   * Takes the place of each trained weight wherever the model computes with it, in training and validation: for fake quantization. The
   * weights themselves stay what the optimizer changes and what the model has in the end. Traced once, like the loss.
   */
  reparametrize?: Reparametrize;
  /**
   * How steps run, on native TensorFlow as one graph each by default: `eager` is for a loss that reads values, `graph-xla` to compare
   * with; summing gradients over batches (`accumulate`), steps by XLA are not repeatable.
   */
  mode?: Execution["mode"];
  /** Honoured between steps; a checkpoint is saved first where there are hooks. */
  signal?: AbortSignal;
  /** Called before each step (from 0, of how many); may change masks and other variables. */
  beforeStep?: (step: number, steps: number) => void;
  /** Told, before anything else, in which way the steps will run. */
  onStart?: (execution: Execution) => void;
  onEpoch?: (point: EpochPoint) => void | Promise<void>;
  onBatch?: (point: BatchPoint) => void;
  checkpoint?: CheckpointHooks;
}

export interface FitResult {
  epochs: EpochPoint[];
  /**
   * The epoch (from 1) with the best monitored value. The model has its weights where `restoreBest` is on and there were validation
   * samples, otherwise those of the last epoch.
   */
  bestEpoch: number;
  stoppedEarly: boolean;
  steps: number;
  /** The sum of the epochs' seconds, those that earlier attempts finished included. */
  seconds: number;
  execution: Execution;
}

export type FitSettings = Omit<TrainingSettings, "validationSplit">;
