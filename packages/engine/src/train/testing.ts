import { tf } from "../tf.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { splitmix32 } from "./random.ts";
import type { RawSamples } from "./raw.ts";
import type { BatchPoint } from "./types.ts";

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

/** Images [6, 6, 1] of bytes, of two classes: light in the left or in the right half, with noise. */
export function tinyImages(count: number): { x: RawSamples; y: Int32Array } {
  const random = splitmix32(3);
  const y = Int32Array.from({ length: count }, (_, index) => index % 2);
  const values = Uint8Array.from({ length: 36 * count }, (_, at) => {
    const isRight = at % 6 > 2 ? 1 : 0;
    return (random() % 128) + (isRight === y[Math.floor(at / 36)] ? 127 : 0);
  });
  return { x: { values, shape: [6, 6, 1], scale: 1 / 255, offset: -0.5 }, y };
}

export function tinyImageModel(dropout = 0): tf.Sequential {
  const layers: tf.layers.Layer[] = [
    tf.layers.conv2d({
      name: "conv",
      filters: 4,
      kernelSize: 3,
      useBias: false,
      inputShape: [6, 6, 1],
      kernelInitializer: init(1),
    }),
    tf.layers.batchNormalization({ name: "norm" }),
    tf.layers.flatten(),
    tf.layers.dense({ name: "logits", units: 2, kernelInitializer: init(2) }),
  ];
  if (dropout > 0) layers.splice(3, 0, tf.layers.dropout({ rate: dropout }));
  return tf.sequential({ name: "tiny-image", layers });
}

/** Options that break a training off after a step, and those with which it goes on from there. */
export function interruptionAt(at: number) {
  let saved: Checkpoint | undefined;
  const checkpoint = {
    everySeconds: 3600,
    load: () => Promise.resolve(saved),
    save: (made: Checkpoint) => Promise.resolve(void (saved = structuredClone(made))),
  };
  const abort = new AbortController();
  const onBatch = ({ step }: BatchPoint) => step === at && abort.abort();
  return { stop: { checkpoint, signal: abort.signal, onBatch }, resume: { checkpoint }, savedStep: () => saved?.step };
}
