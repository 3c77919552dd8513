import { tf } from "../../tf.ts";
import type { Patches } from "../patches.ts";
import { defineNativeOp, present } from "./native-op.ts";

const backward = defineNativeOp({
  name: "FusedBatchNormGradV3",
  inputs: ["dy", "x", "scale", "reserve1", "reserve2", "reserve3"],
  outputs: 5,
  types: ["T", "U"],
});

/**
 * Outputs y, the mean, the variance (over n - 1) and three tensors for {@link backward}, which differentiates y. The inputs `mean` and
 * `variance` are empty in training.
 */
const forward = defineNativeOp({
  name: "FusedBatchNormV3",
  inputs: ["x", "scale", "offset", "mean", "variance"],
  outputs: 6,
  types: ["T", "U"],
  gradient: {
    inputsToSave: ["x", "scale"],
    outputsToSave: [false, false, false, true, true, true],
    gradFunc: (dys, saved, attrs) => {
      const names = ["x", "scale", "reserve1", "reserve2", "reserve3"];
      const given = Object.fromEntries(names.map((name, at) => [name, present(saved[at])]));
      const made = backward({ dy: present([dys].flat()[0]), ...given }, attrs);
      return Object.fromEntries(["x", "scale", "offset"].map((name, at) => [name, () => present(made[at])]));
    },
  },
});

interface LayerPrototype {
  call: (
    this: tf.layers.Layer,
    inputs: tf.Tensor | tf.Tensor[],
    kwargs: Record<string, unknown>,
  ) => tf.Tensor | tf.Tensor[];
}

/**
 * Lets batch normalization along the last axis be one operation in training, and its gradient another, in place of the forty that tfjs
 * composes them of.
 */
export function fuseBatchNorm(patches: Patches): void {
  const prototype: LayerPrototype = Object.getPrototypeOf(tf.layers.batchNormalization());
  const { call } = prototype;
  patches.set(prototype, "call", function batchNormalization(inputs, kwargs) {
    const [x] = [inputs].flat();
    const training = Boolean(kwargs["training"]);
    return (training && x && normalize(this, x)) || Reflect.apply(call, this, [inputs, kwargs]);
  });
}

/**
 * Normalizes by the batch's statistics and moves the layer's towards them, as Keras does: m <- m - (m - batch) (1 - momentum).
 * @returns undefined for a layer that this can't do.
 */
function normalize(layer: tf.layers.Layer, x: tf.Tensor): tf.Tensor | undefined {
  const { axis, momentum, epsilon } = layer.getConfig();
  const [scale, offset, movingMean, movingVariance] = layer.weights;
  const isLast = axis === -1 || axis === x.rank - 1;
  if (!isLast || x.rank > 4 || !scale || !offset || !movingMean || !movingVariance) return undefined;
  const channels = x.shape.at(-1) ?? 0;
  const images = tf.reshape(x, [x.shape[0] ?? 0, -1, 1, channels]);
  const given = {
    x: images,
    scale: scale.read(),
    offset: offset.read(),
    mean: tf.tensor1d([]),
    variance: tf.tensor1d([]),
  };
  const [y, mean, variance] = forward(given, { epsilon: Number(epsilon), is_training: true, data_format: "NHWC" });
  const count = x.size / channels;
  const move = (moving: typeof scale, batch: tf.Tensor) =>
    moving.write(tf.sub(moving.read(), tf.mul(tf.sub(moving.read(), batch), 1 - Number(momentum))));
  move(movingMean, present(mean));
  // tfjs, other than Keras in Python, takes the variance over n.
  move(movingVariance, tf.mul(present(variance), (count - 1) / count));
  return tf.reshape(present(y), x.shape);
}
