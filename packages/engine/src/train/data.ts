import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import type { Batch } from "./loss.ts";

/** Samples with their labels on the device. */
export interface Samples {
  x: tf.Tensor;
  y: tf.Tensor1D;
  count: number;
  /** Frees the labels; x is the caller's. */
  dispose(): void;
}

/**
 * Checks samples and brings the labels to the device.
 * @param what names them in errors (`validation.`).
 * @throws AppError `invalid_request` when the numbers of samples differ or a label is not one of the model's classes.
 */
export function createSamples(x: tf.Tensor, y: Int32Array | tf.Tensor, classes: number, what = ""): Samples {
  const count = x.shape[0] ?? 0;
  const labels = y instanceof tf.Tensor ? y.dataSync() : y;
  if (count === 0) refuse(`${what}x`, "must have at least one sample");
  if (labels.length !== count)
    refuse(`${what}y`, `must have ${count} labels, one for each sample, not ${labels.length}`);
  const wrong = labels.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (wrong >= 0) refuse(`${what}y.${wrong}`, `must be a class from 0 to ${classes - 1}, not ${labels[wrong]}`);
  const tensor = tf.tensor1d(Int32Array.from(labels), "int32");
  return { x, y: tensor, count, dispose: () => tensor.dispose() };
}

/** The samples at `indices`, as new tensors. */
export function takeBatch(samples: Samples, indices: tf.Tensor1D): Batch {
  return { x: tf.gather(samples.x, indices), y: tf.gather(samples.y, indices), indices };
}

function refuse(path: string, message: string): never {
  throw new AppError("invalid_request", `The training data is not valid: ${path} ${message}`, {
    issues: [{ path, message }],
  });
}
