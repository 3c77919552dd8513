import { tf } from "../../tf.ts";

/** Two models with the same weights, and a small batch for them. */
export interface Pair {
  models: [tf.LayersModel, tf.LayersModel];
  x: tf.Tensor;
  y: tf.Tensor2D;
}

export function pair(make: () => tf.LayersModel, x: tf.Tensor, classes: number): Pair {
  const models: Pair["models"] = [make(), make()];
  const weights = models[0].getWeights().map(seeded);
  for (const model of models) model.setWeights(weights);
  const labels = Int32Array.from({ length: x.shape[0] ?? 0 }, (_, row) => row % classes);
  return {
    models,
    x,
    y: tf.tidy(() => tf.oneHot(tf.tensor1d(labels), classes).toFloat().as2D(labels.length, classes)),
  };
}

/** The same numbers in every process in place of a kernel that tfjs drew; vectors, which start as constants, stay. */
function seeded(weight: tf.Tensor, at: number): tf.Tensor {
  if (weight.rank < 2) return weight;
  const fanIn = weight.size / (weight.shape.at(-1) ?? 1);
  return tf.randomNormal(weight.shape, 0, 1 / Math.sqrt(fanIn), "float32", at + 1);
}

export type Step = (x: tf.Tensor, y: tf.Tensor) => tf.Scalar;

export function lossOf(model: tf.LayersModel, x: tf.Tensor, y: tf.Tensor): tf.Scalar {
  const logits = model.apply(x, { training: true });
  if (!(logits instanceof tf.Tensor)) throw new TypeError("the model has several outputs");
  return tf.losses.softmaxCrossEntropy(y, logits).asScalar();
}

/** A step of training as tfjs does it. */
export function minimize(model: tf.LayersModel, optimizer: tf.Optimizer): Step {
  return (x, y) => {
    const loss = optimizer.minimize(() => lossOf(model, x, y), true);
    if (!loss) throw new Error("no loss");
    return loss;
  };
}

/** The largest difference between two sets of numbers, relative to their largest number. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let [largest, difference] = [1e-30, 0];
  for (let at = 0; at < a.length; at++) {
    const [left, right] = [a[at] ?? NaN, b[at] ?? NaN];
    if (Object.is(left, right)) continue;
    largest = Math.max(largest, Math.abs(left));
    difference = Math.max(difference, Number.isNaN(left - right) ? Infinity : Math.abs(left - right));
  }
  return difference / largest;
}

export function weightsDistance([a, b]: Pair["models"]): number {
  const others = b.getWeights();
  return Math.max(...a.getWeights().map((weight, at) => distance(weight.dataSync(), others[at]?.dataSync() ?? [])));
}
