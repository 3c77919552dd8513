import { createHash } from "node:crypto";
import { AppError, canonicalJson, type Preprocessing } from "@whittle/contracts";
import type { DatasetContract } from "./contracts.ts";

/** Samples one after the other, raw, with the classes they belong to. */
export interface Split {
  x: Uint8Array | Float32Array;
  y: Int32Array;
  count: number;
}

export interface Splits {
  train: Split;
  test: Split;
}

/** Reads a data set, whole, from the folder that it was found in. */
export type LoadSplits = (folder: string) => Promise<Splits>;

export interface Dataset extends Splits {
  name: string;
  /** SHA-256 of the whole content, whatever the limit. */
  digest: string;
  inputShape: number[];
  /** What each token id stands for, where the samples are sequences of them. */
  vocabulary?: string[];
  labels: string[];
  preprocessing: Preprocessing;
  /** How many samples the whole has, whatever the limit. */
  samples: { train: number; test: number };
}

/** How many samples to keep, from the beginning. */
export interface SampleLimit {
  train?: number;
  test?: number;
}

/** What is known of a data set before it is read, as far as it goes into a {@link Dataset}. */
type Described = Pick<DatasetContract, "name" | "inputShape" | "vocabulary" | "labels" | "preprocessing" | "samples">;

/**
 * A data set of its splits.
 * @throws AppError `corrupt` when they are not what the contract says.
 */
export function assemble(contract: Described, splits: Splits, limit: SampleLimit = {}): Dataset {
  const { name, inputShape, vocabulary, labels, preprocessing, samples } = contract;
  for (const part of ["train", "test"] as const) checkSplit(contract, part, splits[part]);
  const digest = contentDigest(contract, splits);
  const whole = {
    name,
    digest,
    inputShape,
    ...(vocabulary && { vocabulary }),
    labels,
    preprocessing,
    samples,
    ...splits,
  };
  return firstSamples(whole, limit);
}

/** A data set with only the first samples of each part. */
export function firstSamples(data: Dataset, limit: SampleLimit = {}): Dataset {
  return { ...data, train: firstOf(data.train, limit.train), test: firstOf(data.test, limit.test) };
}

/** What models see: x scale + offset, samples one after the other. */
export function toFloat(split: Split, { scale, offset }: Preprocessing): Float32Array {
  const floats = new Float32Array(split.x.length);
  for (let at = 0; at < floats.length; at++) floats[at] = (split.x[at] ?? 0) * scale + offset;
  return floats;
}

function checkSplit(contract: Described, part: "train" | "test", { x, y, count }: Split): void {
  const size = contract.inputShape.reduce((product, length) => product * length, 1);
  const expected = contract.samples[part];
  const problem =
    (count !== expected && `has ${count} samples, but must have ${expected}`) ||
    (x.length !== count * size && `has ${x.length} values, but must have ${count} x ${size}`) ||
    (y.length !== count && `has ${y.length} labels for ${count} samples`) ||
    badLabel(y, contract.labels.length);
  if (problem) throw new AppError("corrupt", `The ${part} part of the data set ${contract.name} ${problem}`);
}

function badLabel(y: Int32Array, classes: number): string | undefined {
  const at = y.findIndex((label) => label < 0 || label >= classes);
  return at < 0 ? undefined : `has the label ${y[at]} at sample ${at}, but labels go from 0 to ${classes - 1}`;
}

function contentDigest({ inputShape, samples }: Described, { train, test }: Splits): string {
  const hash = createHash("sha256").update(canonicalJson({ inputShape, samples }));
  for (const part of [train.x, train.y, test.x, test.y]) {
    hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
  return `sha256:${hash.digest("hex")}`;
}

function firstOf(split: Split, limit = split.count): Split {
  const count = Math.min(limit, split.count);
  const size = split.x.length / split.count;
  return { x: split.x.subarray(0, count * size), y: split.y.subarray(0, count), count };
}
