import { crossEntropy, permutation, tf } from "@whittle/engine";
import type { TrainingTensors } from "../../shared/training.ts";

const BATCH = 64;

/**
 * The gradients of the mean cross-entropy at a model's trained weights, of each batch of `samples` training samples, by the weight's name.
 * The model answers as it does when it is used: nothing is dropped, and batch normalization takes its moving statistics.
 */
export function lossGradients(
  model: tf.LayersModel,
  { x, y }: TrainingTensors,
  samples: number,
): Record<string, Float32Array>[] {
  const chosen = permutation(y.length, 0).subarray(0, samples);
  const batches = Array.from({ length: Math.ceil(chosen.length / BATCH) }, (_, at) =>
    chosen.subarray(at * BATCH, (at + 1) * BATCH),
  );
  return batches.map((indices) => tf.tidy(() => batchGradients(model, x, y, indices)));
}

function batchGradients(
  model: tf.LayersModel,
  x: tf.Tensor,
  y: Int32Array,
  places: Int32Array,
): Record<string, Float32Array> {
  const indices = tf.tensor1d(places, "int32");
  const labels = tf.tensor1d(
    places.map((at) => y[at] ?? 0),
    "int32",
  );
  const trained = model.trainableWeights.map((weight) => ({ name: weight.originalName, variable: weight.read() }));
  const variables = trained.flatMap(({ variable }) => (variable instanceof tf.Variable ? [variable] : []));
  const batch = { x: tf.gather(x, indices), y: labels, indices };
  const { grads } = tf.variableGrads(() => {
    const logits = model.apply(batch.x, { training: false });
    if (!(logits instanceof tf.Tensor)) throw new TypeError("a model that is pruned must have one output");
    return crossEntropy(batch, logits);
  }, variables);
  return Object.fromEntries(
    trained.map(({ name, variable }) => {
      const gradient = grads[variable instanceof tf.Variable ? variable.name : name];
      return [name, Float32Array.from(gradient?.dataSync() ?? [])];
    }),
  );
}
