import type { Clip } from "@whittle/contracts";
import { compile } from "../compile/compile.ts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import type { NamedVariable } from "../model-io/weights.ts";
import { clipGradients } from "./clip.ts";
import { takeBatch, type Samples } from "./data.ts";
import type { SeededDropout } from "./dropout.ts";
import type { Execution } from "./execution.ts";
import { countCorrect, type Batch, type LossFunction } from "./loss.ts";
import type { Live, UpdateRule } from "./optimizer.ts";

/** What changes from step to step. `indices` are the batch's places in the training data, `seed` fixes the dropout. */
export interface StepInputs {
  indices: tf.Tensor1D;
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
  dispose(): void;
}

export interface StepParts {
  train: Samples;
  model: tf.LayersModel;
  loss: LossFunction;
  rule: UpdateRule;
  weights: NamedVariable[];
  clip: Clip;
  masks: { variable: tf.Variable; mask: tf.Tensor }[];
  dropout: SeededDropout;
}

/**
 * One training step: forward, loss, gradients, clipping, update, masks. Op by op and as one graph the results can differ in the last
 * bits.
 * @throws AppError `unsupported` at the first run, when the loss or a layer does what a graph can't.
 */
export function makeStep(parts: StepParts, mode: Execution["mode"]): Step {
  const whole = (inputs: StepInputs) => trainStep(parts, takeBatch(parts.train, inputs.indices), inputs);
  if (mode === "eager") return { run: (inputs) => tf.tidy(() => whole(inputs)), dispose: () => undefined };
  if (nativeBackend()?.isUsingGpuDevice) return compileWithBatch(parts);
  const compiled = compile(whole, { xla: mode === "graph-xla" });
  return { run: compiled, dispose: () => compiled.dispose() };
}

/** Takes the batch outside the graph. What is fed to a graph goes to the GPU at every step, the whole training data would. */
function compileWithBatch(parts: StepParts): Step {
  const compiled = compile((batch: Batch, inputs: StepInputs) => trainStep(parts, batch, inputs));
  const run = (inputs: StepInputs) => tf.tidy(() => compiled(takeBatch(parts.train, inputs.indices), inputs));
  return { run, dispose: () => compiled.dispose() };
}

function trainStep(parts: StepParts, batch: Batch, { seed, rate, keep }: StepInputs): StepOutputs {
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
