import { compile } from "../compile/compile.ts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import type { Fed } from "./data.ts";
import type { Execution } from "./execution.ts";
import { batchGradients, update, type StepOutputs, type StepParts } from "./gradients.ts";
import type { Batch } from "./loss.ts";
import type { Live } from "./optimizer.ts";

/** A step as numbers; what changes from step to step is given to the graph as tensors. */
export interface StepAt extends Live<number> {
  /** From 0. */
  step: number;
  /** The samples' places in the training data. */
  places: Int32Array;
}

export interface Step {
  run(at: StepAt): StepOutputs;
  dispose(): void;
}

/**
 * One training step: forward, loss, gradients, clipping, update, masks. Op by op and as one graph the results can differ in the last
 * bits.
 * @throws AppError `unsupported` at the first run, when the loss or a layer does what a graph can't.
 */
export function makeStep(parts: StepParts, execution: Execution): Step {
  return parts.accumulate > 1 ? accumulatedStep(parts, execution) : singleStep(parts, execution);
}

function singleStep(parts: StepParts, execution: Execution): Step {
  const step = onBatch(parts, execution, (batch, { seed, ...live }: LiveTensors & { seed: tf.Tensor1D }) => {
    const { gradients, ...outputs } = batchGradients(parts, batch, seed);
    update(parts, gradients, live);
    return outputs;
  });
  const run = (at: StepAt) =>
    tf.tidy(() =>
      step.run(parts.train.feed(at.places), { ...liveTensors(parts, at), seed: seedTensor(parts, at.step) }),
    );
  return { run, dispose: step.dispose };
}

/**
 * A step of several batches: each adds its gradients to sums, in a graph of its own, so that the memory is that of one batch; then
 * the sums change the weights.
 */
function accumulatedStep(parts: StepParts, execution: Execution): Step {
  const { train, trained, batchSize, accumulate } = parts;
  const sums = trained.map(({ variable }) => ({
    of: variable.name,
    sum: tf.tidy(() => tf.variable(tf.zerosLike(variable), false)),
  }));
  /** The variables that the loss depends on. */
  const reached = new Set<string>();
  const add = onBatch(parts, execution, (batch, { seed, share }: { seed: tf.Tensor1D; share: tf.Scalar }) => {
    const { gradients, loss, correct } = batchGradients(parts, batch, seed);
    for (const { of, sum } of sums) {
      const gradient = gradients[of];
      if (!gradient) continue;
      reached.add(of);
      sum.assign(tf.add(sum, tf.mul(gradient, share)));
    }
    return { loss: tf.mul(loss, share), correct };
  });
  const apply = runnable(execution, (live: LiveTensors) => {
    const found = sums.filter(({ of }) => reached.has(of));
    update(parts, Object.fromEntries(found.map(({ of, sum }) => [of, tf.clone(sum)])), live);
    for (const { sum } of found) sum.assign(tf.zerosLike(sum));
    return {};
  });
  const run = (at: StepAt) =>
    tf.tidy(() => {
      const outputs = batchesOf(at.places, batchSize).map((places, index) =>
        add.run(train.feed(places), {
          seed: seedTensor(parts, at.step * accumulate + index),
          share: tf.scalar(places.length / at.places.length),
        }),
      );
      apply.run(liveTensors(parts, at));
      return {
        loss: tf.addN(outputs.map(({ loss }) => loss)).asScalar(),
        correct: tf.addN(outputs.map(({ correct }) => correct)).asScalar(),
      };
    });
  const dispose = () => {
    add.dispose();
    apply.dispose();
    for (const { sum } of sums) sum.dispose();
  };
  return { run, dispose };
}

interface Runnable<A extends unknown[], R> {
  run: (...args: A) => R;
  dispose: () => void;
}

function runnable<A extends unknown[], R extends tf.TensorContainer>(
  { mode, precision }: Execution,
  fn: (...args: A) => R,
): Runnable<A, R> {
  if (mode === "eager") return { run: (...args) => tf.tidy(() => fn(...args)), dispose: () => undefined };
  const compiled = compile(fn, { xla: mode === "graph-xla", mixed: precision === "mixed_bfloat16" });
  return { run: compiled, dispose: () => compiled.dispose() };
}

/**
 * A part of a step that takes a batch. The batch is taken inside the graph, but on a GPU outside: what is fed to a graph goes to the
 * GPU at every step, the whole training data would.
 */
function onBatch<I, R extends tf.TensorContainer>(
  { train }: StepParts,
  execution: Execution,
  fn: (batch: Batch, inputs: I) => R,
): Runnable<[Fed, I], R> {
  if (!nativeBackend()?.isUsingGpuDevice)
    return runnable(execution, (fed: Fed, inputs: I) => fn(train.batch(fed), inputs));
  const { run, dispose } = runnable(execution, fn);
  return { run: (fed, inputs) => run(train.batch(fed), inputs), dispose };
}

type LiveTensors = Live<tf.Scalar> & { kept?: tf.Scalar | undefined };

function liveTensors({ averages }: StepParts, { rate, keep, step }: StepAt): LiveTensors {
  const live = { rate: tf.scalar(rate), keep: tf.scalar(keep) };
  return averages ? { ...live, kept: tf.scalar(averages.kept(step)) } : live;
}

function seedTensor({ seed }: StepParts, at: number): tf.Tensor1D {
  return tf.tensor1d([seed, at], "int32");
}

function batchesOf(places: Int32Array, size: number): Int32Array[] {
  const count = Math.ceil(places.length / size);
  return Array.from({ length: count }, (_, index) => places.subarray(index * size, (index + 1) * size));
}
