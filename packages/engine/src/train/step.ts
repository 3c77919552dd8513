import type { Clip } from "@whittle/contracts";
import { compile } from "../compile/compile.ts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import type { NamedVariable } from "../model-io/weights.ts";
import { clipGradients } from "./clip.ts";
import type { SeededDropout } from "./dropout.ts";
import { countCorrect, type Batch, type LossFunction } from "./loss.ts";
import type { Live, UpdateRule } from "./optimizer.ts";

/** What changes from step to step. `seed` fixes the dropout. */
export interface StepInputs extends Batch {
  seed: tf.Tensor1D;
  rate: tf.Scalar;
  keep: tf.Scalar;
}

/** What a step gives back, to be disposed by the caller: the batch's mean loss, and how many samples were right. */
export type StepOutputs = {
  loss: tf.Scalar;
  correct: tf.Scalar;
};

export interface Step {
  run(inputs: StepInputs): StepOutputs;
  /** Whether the step runs as one compiled graph. */
  compiled: boolean;
  dispose(): void;
}

export interface StepParts {
  model: tf.LayersModel;
  loss: LossFunction;
  rule: UpdateRule;
  weights: NamedVariable[];
  clip: Clip;
  masks: { variable: tf.Variable; mask: tf.Tensor }[];
  dropout: SeededDropout;
}

/**
 * One training step: forward, loss, gradients, clipping, update, masks. On native TensorFlow it runs as one graph, unless `eager`
 * asks for op by op; the results can then differ in the last bits.
 * @throws AppError `unsupported` at the first run, when the loss or a layer does what a graph can't.
 */
export function makeStep(parts: StepParts, eager = false): Step {
  const step = (inputs: StepInputs) => trainStep(parts, inputs);
  if (eager || !nativeBackend()) {
    return { run: (inputs) => tf.tidy(() => step(inputs)), compiled: false, dispose: () => undefined };
  }
  const compiled = compile(step);
  return { run: compiled, compiled: true, dispose: () => compiled.dispose() };
}

function trainStep(parts: StepParts, { seed, rate, keep, ...batch }: StepInputs): StepOutputs {
  const { model, loss, rule, clip, weights } = parts;
  parts.dropout.seed(seed);
  const trainable = weights.filter((weight) => weight.trainable).map(({ variable }) => variable);
  let correct: tf.Scalar | undefined;
  const { value, grads } = tf.variableGrads(() => {
    const logits = forward(model, batch.x);
    const mean = loss(batch, logits);
    correct = tf.keep(countCorrect(batch.y, logits));
    return mean;
  }, trainable);
  const live: Live<tf.Scalar> = { rate, keep };
  rule.update(clipGradients(grads, clip), live);
  applyMasks(parts.masks);
  return { loss: value, correct: correct ?? tf.scalar(0) };
}

/** Multiplies each masked weight by its mask. */
export function applyMasks(masks: StepParts["masks"]): void {
  for (const { variable, mask } of masks) variable.assign(tf.mul(variable, mask));
}

/** The model's output in training, where dropout is active and batch normalization uses the batch's statistics. */
function forward(model: tf.LayersModel, x: tf.Tensor): tf.Tensor {
  const output = model.apply(x, { training: true });
  if (output instanceof tf.Tensor) return output;
  throw new TypeError("a model that is trained must have one output");
}
