import { crossEntropy, permutation, samplesAt, tf } from "@whittle/engine";
import type { TrainingSamples } from "../shared/training.ts";

const BATCH = 64;

/** A batch's gradients of the mean cross-entropy, by the weight's name. */
interface BatchGradients {
  samples: number;
  gradients: Record<string, Float32Array>;
}

/**
 * The gradients of the loss at a model's trained weights, batch by batch of `samples` training samples.
 * The model answers as it does when it is used: nothing is dropped, and batch normalization takes its moving statistics.
 */
export function lossGradients(model: tf.LayersModel, { x, y }: TrainingSamples, samples: number): BatchGradients[] {
  const chosen = permutation(y.length, 0).subarray(0, samples);
  const batches = Array.from({ length: Math.ceil(chosen.length / BATCH) }, (_, at) =>
    chosen.subarray(at * BATCH, (at + 1) * BATCH),
  );
  return batches.map((places) => ({
    samples: places.length,
    gradients: tf.tidy(() => batchGradients(model, samplesAt(x, places), y, places)),
  }));
}

/** The gradients of the mean loss over the samples of all batches. */
export function meanGradients(batches: readonly BatchGradients[]): Record<string, Float32Array> {
  const count = batches.reduce((sum, { samples }) => sum + samples, 0);
  const means: Record<string, Float32Array> = {};
  for (const { samples, gradients } of batches) {
    for (const [name, values] of Object.entries(gradients)) {
      const mean = (means[name] ??= new Float32Array(values.length));
      for (const [at, value] of values.entries()) mean[at] = (mean[at] ?? 0) + (value * samples) / count;
    }
  }
  return means;
}

function batchGradients(
  model: tf.LayersModel,
  x: tf.Tensor,
  y: Int32Array,
  places: Int32Array,
): Record<string, Float32Array> {
  const labels = tf.tensor1d(
    places.map((at) => y[at] ?? 0),
    "int32",
  );
  const trained = model.trainableWeights.map((weight) => ({ name: weight.originalName, variable: weight.read() }));
  const variables = trained.flatMap(({ variable }) => (variable instanceof tf.Variable ? [variable] : []));
  const { grads } = tf.variableGrads(() => {
    const logits = model.apply(x, { training: false });
    if (!(logits instanceof tf.Tensor)) throw new TypeError("a model that is pruned must have one output");
    return crossEntropy({ y: labels }, logits);
  }, variables);
  return Object.fromEntries(
    trained.map(({ name, variable }) => {
      const gradient = grads[variable instanceof tf.Variable ? variable.name : name];
      return [name, Float32Array.from(gradient?.dataSync() ?? [])];
    }),
  );
}
