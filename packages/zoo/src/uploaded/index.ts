/** Data sets that users upload. No TensorFlow: the API checks an upload with this before it accepts it. */
import type { DatasetContent, DatasetRecord, Preprocessing } from "@whittle/contracts";
import { assemble, type Dataset, type Splits } from "../dataset.ts";
import { parseNpy, readIntegers, readNumbers, readTexts, typeName, type NpyArray } from "./npy.ts";
import { wrong } from "./wrong.ts";
import { unzip } from "./zip.ts";

const needed = ["x_train", "y_train", "x_test", "y_test"] as const;
const files = [...needed, "labels", "vocabulary"].map((name) => `${name}.npy`);

const mostClasses = 10_000;
const mostTokens = 100_000;

/** A file's content: what there is, and the samples. */
export interface Upload {
  content: DatasetContent;
  splits: Splits;
}

export interface UploadOptions extends Partial<Preprocessing> {
  /** Bytes that the arrays may have together. */
  limitBytes?: number;
}

/**
 * Reads a data set in NumPy's `.npz`: `x_train`, `y_train`, `x_test`, `y_test`, and where there are such names `labels` and `vocabulary`.
 * Samples are vectors [n, features], rows of floats [n, steps, features], images [n, height, width, channels] or, in bytes, [n, height,
 * width]; with a vocabulary they are token ids [n, steps]. Models see x scale + offset: by default bytes of images as 0 to 1, all else as it is.
 * @throws AppError `invalid_request` that names the array; `payload_too_large`.
 */
export async function readUpload(file: Uint8Array, options: UploadOptions = {}): Promise<Upload> {
  const unpacked = await unzip(file, { names: files, limitBytes: options.limitBytes ?? Infinity });
  const find = (name: string): NpyArray | undefined => {
    const array = unpacked.get(`${name}.npy`);
    return array && parseNpy(array, name);
  };
  const need = (name: string): NpyArray => {
    const array = find(name);
    if (!array) throw wrong(name, `is missing; the file must have ${needed.join(", ")}`);
    return array;
  };
  const x = { train: need("x_train"), test: need("x_test") };
  const y = { train: need("y_train"), test: need("y_test") };
  checkLengths(x.train, y.train);
  checkLengths(x.test, y.test);
  checkAlike(x.train, x.test);
  const [names, tokens] = [find("labels"), find("vocabulary")];
  const vocabulary = tokens && readTexts(tokens, mostTokens);
  const classes = readClasses(y, names && readTexts(names, mostClasses));
  const inputShape = sampleShape(x.train, vocabulary !== undefined);
  const values = (array: NpyArray) => (vocabulary ? readTokens(array, vocabulary.length) : readNumbers(array));
  const split = (side: "train" | "test") => ({ x: values(x[side]), y: classes[side], count: classes[side].length });
  const content = {
    inputShape,
    labels: classes.labels,
    ...(vocabulary && { vocabulary }),
    preprocessing: preprocessingOf(x.train, inputShape, options, vocabulary !== undefined),
    samples: { train: classes.train.length, test: classes.test.length },
  };
  return { content, splits: { train: split("train"), test: split("test") } };
}

/**
 * An uploaded data set as jobs take it, under the name `name@version`.
 * @throws AppError `corrupt` when the file is not what its record says.
 */
export async function openUpload(record: DatasetRecord, file: Uint8Array): Promise<Dataset> {
  const { splits } = await readUpload(file);
  return assemble({ ...record, name: `${record.name}@${record.version}` }, splits);
}

function checkLengths(x: NpyArray, y: NpyArray): void {
  const [count = 0] = x.shape;
  if (x.shape.includes(0) || count === 0) throw wrong(x.name, `is empty: its shape is [${x.shape.join(", ")}]`);
  if (y.shape.length !== 1) {
    // Of several numbers a sample the largest is its class, where they are one-hot.
    const how = y.shape.length === 2 && y.shape[1] !== 1 ? "y.argmax(axis=1)" : "y.reshape(-1)";
    throw wrong(y.name, `has the shape [${y.shape.join(", ")}]; it must be [n], a class for each sample: ${how}`);
  }
  if (y.shape[0] !== count)
    throw wrong(y.name, `has ${y.shape[0]} labels, but ${x.name} has ${count} samples; they must be as many`);
}

function checkAlike(train: NpyArray, test: NpyArray): void {
  const shapes = [train, test].map(({ shape }) => `[n, ${shape.slice(1).join(", ")}]`);
  if (shapes[0] !== shapes[1])
    throw wrong(test.name, `has the shape ${shapes[1]}, but ${train.name} has ${shapes[0]}; they must be alike`);
  if (train.dtype !== test.dtype)
    throw wrong(
      test.name,
      `has values of type ${typeName(test.dtype)}, but ${train.name} of ${typeName(train.dtype)}; they must be alike`,
    );
}

/** Shape of one sample. */
function sampleShape({ name, shape, dtype }: NpyArray, tokens: boolean): number[] {
  const sample = shape.slice(1);
  const found = `has the shape [${shape.join(", ")}]`;
  if (tokens && sample.length !== 1) throw wrong(name, `${found}; with a vocabulary it must be token ids [n, steps]`);
  if (isChannelsFirst(sample))
    throw wrong(name, `${found}, channels first; images must be [n, height, width, channels]: x.transpose(0, 2, 3, 1)`);
  if (sample.length === 2 && dtype === "u1") return [...sample, 1];
  if (sample.length >= 1 && sample.length <= 3) return sample;
  throw wrong(
    name,
    `${found}; it must be [n, features], [n, steps, features], [n, height, width] or [n, height, width, channels]`,
  );
}

/** As PyTorch has images: one or three channels before sizes that channels are hardly ever as many as. */
function isChannelsFirst([channels = 0, ...sizes]: number[]): boolean {
  return sizes.length === 2 && (channels === 1 || channels === 3) && sizes.every((size) => size > 4);
}

/** A token's id is kept as one byte where that is enough, else as a float, which holds it exactly. */
function readTokens(x: NpyArray, tokens: number): Uint8Array | Float32Array {
  const ids = readIntegers(x, tokens, `token ids from 0 to ${tokens - 1}, places in vocabulary`);
  return tokens <= 256 ? Uint8Array.from(ids) : Float32Array.from(ids);
}

interface Classes {
  train: Int32Array;
  test: Int32Array;
  labels: string[];
}

/** The class of each sample; without names classes are called as they are counted. */
function readClasses(y: { train: NpyArray; test: NpyArray }, names?: string[]): Classes {
  if (names && names.length < 2)
    throw wrong("labels", `has ${names.length} of the texts that there must be for each class, two or more`);
  const below = names?.length ?? mostClasses;
  const are = `classes from 0 to ${below - 1}${names ? ", places in labels" : ""}`;
  const [train, test] = [readIntegers(y.train, below, are), readIntegers(y.test, below, are)];
  if (train.every((label) => label === train[0]))
    throw wrong(y.train.name, `has only the class ${train[0]}; it must have two or more`);
  const highest = [train, test].reduce((most, side) => side.reduce((a, b) => Math.max(a, b), most), 0);
  return { train, test, labels: names ?? Array.from({ length: highest + 1 }, (_, at) => String(at)) };
}

function preprocessingOf(
  { dtype }: NpyArray,
  inputShape: number[],
  { scale, offset }: Partial<Preprocessing>,
  tokens: boolean,
): Preprocessing {
  if (tokens && (scale !== undefined || offset !== undefined))
    throw wrong("vocabulary", "makes x token ids, which have no scale and no offset: leave both out");
  const bytesOfImage = dtype === "u1" && inputShape.length === 3;
  return { scale: scale ?? (bytesOfImage ? 1 / 255 : 1), offset: offset ?? 0 };
}
