import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import type { Batch } from "./loss.ts";
import { asInputs, countOf, gatherStored, type Inputs } from "./raw.ts";

/** What a call of a step carries of its batch: the places in the training data, and the samples where these are in JavaScript. */
export interface Fed {
  indices: tf.Tensor1D;
  stored?: tf.Tensor;
}

/** Samples with their labels on the device. */
export interface Samples {
  x: Inputs;
  y: tf.Tensor1D;
  count: number;
  feed(places: Int32Array): Fed;
  /** What was fed, as the model and the loss take it; may be part of a graph. */
  batch(fed: Fed): Batch;
  /** Frees the labels; x is the caller's. */
  dispose(): void;
}

/**
 * Checks samples and brings the labels to the device.
 * @param what names them in errors (`validation.`).
 * @throws AppError `invalid_request` when the numbers of samples differ or a label is not one of the model's classes.
 */
export function createSamples(x: Inputs, y: Int32Array | tf.Tensor, classes: number, what = ""): Samples {
  const count = countOf(x);
  const labels = y instanceof tf.Tensor ? y.dataSync() : y;
  if (count === 0) refuse(`${what}x`, "must have at least one sample");
  if (!Number.isInteger(count)) refuse(`${what}x`, "must hold whole samples of its shape");
  if (labels.length !== count)
    refuse(`${what}y`, `must have ${count} labels, one for each sample, not ${labels.length}`);
  const wrong = labels.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (wrong >= 0) refuse(`${what}y.${wrong}`, `must be a class from 0 to ${classes - 1}, not ${labels[wrong]}`);
  const tensor = tf.tensor1d(Int32Array.from(labels), "int32");
  return { x, y: tensor, count, ...access(x, tensor), dispose: () => tensor.dispose() };
}

function access(x: Inputs, y: tf.Tensor1D): Pick<Samples, "feed" | "batch"> {
  const tensor = (places: Int32Array) => tf.tensor1d(places, "int32");
  if (x instanceof tf.Tensor) {
    return {
      feed: (places) => ({ indices: tensor(places) }),
      batch: ({ indices }) => ({ x: tf.gather(x, indices), y: tf.gather(y, indices), indices }),
    };
  }
  return {
    feed: (places) => ({ indices: tensor(places), stored: gatherStored(x, places) }),
    batch({ indices, stored }) {
      if (!stored) throw new AppError("internal", "The samples of a batch are missing");
      return { x: asInputs(x, stored), y: tf.gather(y, indices), indices };
    },
  };
}

function refuse(path: string, message: string): never {
  throw new AppError("invalid_request", `The training data is not valid: ${path} ${message}`, {
    issues: [{ path, message }],
  });
}
