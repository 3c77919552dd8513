import type { Augment, Clip } from "@whittle/contracts";
import type { NamedVariable } from "../model-io/weights.ts";
import { tf } from "../tf.ts";
import { augmentImages } from "./augment.ts";
import type { Averages } from "./averages.ts";
import { clipGradients, type Gradients } from "./clip.ts";
import type { Samples } from "./data.ts";
import type { SeededDropout } from "./dropout.ts";
import type { Forward } from "./forward.ts";
import { countCorrect, type Batch, type LossFunction } from "./loss.ts";
import type { Live, UpdateRule } from "./optimizer.ts";

/** What a step gives back, to be disposed by the caller: the batch's mean loss, and how many samples were right. */
export type StepOutputs = {
  loss: tf.Scalar;
  correct: tf.Scalar;
};

/** What the steps of a training work with. */
export interface StepParts {
  train: Samples;
  forward: Forward;
  loss: LossFunction;
  rule: UpdateRule;
  /** The model's weights and the loss's variables that the optimizer changes. */
  trained: Pick<NamedVariable, "name" | "variable">[];
  clip: Clip;
  masks: { variable: tf.Variable; mask: tf.Tensor }[];
  dropout: SeededDropout;
  augment?: Augment | undefined;
  averages?: Averages | undefined;
  /** Samples of one batch, and batches of one step. */
  batchSize: number;
  accumulate: number;
  /** From which, with the number of the step, dropout and augmentation follow. */
  seed: number;
}

/** Forward, loss and gradients of one batch. `seed` fixes the dropout and the augmentation. Inside a tidy. */
export function batchGradients(
  { dropout, augment, forward, loss, trained, masks }: StepParts,
  given: Batch,
  seed: tf.Tensor1D,
): StepOutputs & { gradients: Gradients } {
  dropout.seed(seed);
  applyMasks(masks.filter(({ mask }) => mask instanceof tf.Variable));
  const batch = augment
    ? { ...given, x: augmentImages(tf.reshape(given.x, imageShape(given.x)), augment, seed) }
    : given;
  let correct: tf.Scalar | undefined;
  const { value, grads } = tf.variableGrads(
    () => {
      const { logits, features } = forward(batch.x);
      const mean = loss(batch, logits, features);
      correct = tf.keep(countCorrect(batch.y, logits));
      return mean;
    },
    trained.map(({ variable }) => variable),
  );
  return { loss: value, correct: correct ?? tf.scalar(0), gradients: grads };
}

/** Clipping, optimizer, averages and masks. Inside a tidy. */
export function update(
  { rule, clip, averages, masks }: StepParts,
  gradients: Gradients,
  { kept, ...live }: Live<tf.Scalar> & { kept?: tf.Scalar | undefined },
): void {
  rule.update(clipGradients(gradients, clip), live);
  if (kept) averages?.update(kept);
  applyMasks(masks);
}

/** Multiplies each masked weight by its mask. */
export function applyMasks(masks: StepParts["masks"]): void {
  for (const { variable, mask } of masks) variable.assign(tf.mul(variable, mask));
}

function imageShape({ shape }: tf.Tensor): [number, number, number, number] {
  const [batch = 0, height = 0, width = 0, channels = 0] = shape;
  return [batch, height, width, channels];
}
