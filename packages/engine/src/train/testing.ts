import { tf } from "../tf.ts";
import { splitmix32 } from "./random.ts";

/** Points around one centre per class, on a plane: a problem that a small network learns in a few dozen steps. */
export function blobs(count: number, seed: number): { x: tf.Tensor2D; y: Int32Array } {
  const random = splitmix32(seed);
  const uniform = () => random() / 2 ** 32 - 0.5;
  const y = Int32Array.from({ length: count }, (_, index) => index % 3);
  const points = Array.from(y, (label) => [Math.cos(2 * label) + uniform(), Math.sin(2 * label) + uniform()]);
  return { x: tf.tensor2d(points), y };
}

const init = (seed: number) => tf.initializers.glorotUniform({ seed });

/** 2 -> 8 -> 3, with dropout in between where a rate is given. */
export function tinyModel(dropout = 0): tf.Sequential {
  const layers: tf.layers.Layer[] = [
    tf.layers.dense({ name: "hidden", units: 8, activation: "relu", inputShape: [2], kernelInitializer: init(1) }),
    tf.layers.dense({ name: "logits", units: 3, kernelInitializer: init(2) }),
  ];
  if (dropout > 0) layers.splice(1, 0, tf.layers.dropout({ name: "dropout", rate: dropout }));
  return tf.sequential({ name: "tiny", layers });
}
