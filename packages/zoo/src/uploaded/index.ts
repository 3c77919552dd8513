/** Data sets that users upload. No TensorFlow: the API checks an upload with this before it accepts it. */
import { AppError, toAppError, type DatasetContent, type DatasetRecord, type Preprocessing } from "@whittle/contracts";
import { assemble, type Dataset, type Splits } from "../dataset.ts";
import { readArrays, readSplits } from "./arrays.ts";
import { readTexts, typeName, type NpyArray } from "./npy.ts";
import { wrong } from "./wrong.ts";
import type { Archive } from "./zip.ts";

export type { Archive } from "./zip.ts";

const mostClasses = 10_000;
const mostTokens = 100_000;
const mostNamed = 10;

/** A file's content: what there is, and the samples. */
export interface Upload {
  content: DatasetContent;
  /** What is probably not meant, for a person. */
  warnings: string[];
  splits: Splits;
}

export interface UploadOptions extends Partial<Preprocessing> {
  /** Bytes that the arrays may have together. */
  limitBytes?: number;
}

/**
 * Reads a data set in NumPy's `.npz` that is to be accepted: `x_train`, `y_train`, `x_test`, `y_test`, and where there are such names
 * `labels` and `vocabulary`. Samples are vectors [n, features], rows of floats [n, steps, features], images [n, height, width, channels]
 * or, in bytes, [n, height, width]; with a vocabulary they are token ids [n, steps]. Models see x scale + offset: by default bytes of
 * images as 0 to 1, all else as it is.
 * @throws AppError `invalid_request` that names the array; `payload_too_large`.
 */
export async function readUpload(file: Uint8Array | Archive, options: UploadOptions = {}): Promise<Upload> {
  const arrays = await readArrays(file, options);
  const { x, y } = arrays;
  checkLengths(x.train, y.train);
  checkLengths(x.test, y.test);
  checkAlike(x.train, x.test);
  const vocabulary = arrays.vocabulary && readTexts(arrays.vocabulary, mostTokens);
  const names = arrays.labels && readTexts(arrays.labels, mostClasses);
  if (names && names.length < 2)
    throw wrong("labels", `has ${names.length} of the texts that there must be for each class, two or more`);
  const classes = names?.length ?? mostClasses;
  const are = `classes from 0 to ${classes - 1}${names ? ", places in labels" : ""}`;
  const inputShape = sampleShape(x.train, vocabulary !== undefined);
  const splits = readSplits(arrays, { classes, are, ...(vocabulary && { tokens: vocabulary.length }) });
  const labels = names ?? numbered(splits);
  const content = {
    inputShape,
    labels,
    ...(vocabulary && { vocabulary }),
    preprocessing: preprocessingOf(x.train, inputShape, options, vocabulary !== undefined),
    samples: { train: splits.train.count, test: splits.test.count },
  };
  return { content, warnings: unlearnt(splits, labels), splits };
}

/**
 * An uploaded data set as jobs take it, under the name `name@version`. What its version's record says is taken from there and not judged
 * anew, so that a version that was accepted once can be read also when fewer are accepted.
 * @throws AppError `corrupt` when the file is not what its record says.
 */
export async function openUpload(record: DatasetRecord, file: Uint8Array): Promise<Dataset> {
  const name = `${record.name}@${record.version}`;
  const { labels, vocabulary } = record;
  const read = {
    classes: labels.length,
    are: "classes of its record",
    ...(vocabulary && { tokens: vocabulary.length }),
  };
  try {
    return assemble({ ...record, name }, readSplits(await readArrays(file, { skipOthers: true }), read));
  } catch (error) {
    const { message } = toAppError(error);
    throw new AppError("corrupt", `the data set ${name} is not what its record says: ${message}`, { cause: error });
  }
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

/** Without names classes are called as they are counted. */
function numbered({ train, test }: Splits): string[] {
  const highest = [train, test].reduce((most, { y }) => y.reduce((a, b) => Math.max(a, b), most), 0);
  return Array.from({ length: highest + 1 }, (_, at) => String(at));
}

/** Classes that are tested and not taught. @throws AppError `invalid_request` when only one is taught. */
function unlearnt({ train, test }: Splits, labels: string[]): string[] {
  const taught = new Set(train.y);
  if (taught.size < 2) throw wrong("y_train", `has only the class ${train.y[0]}; it must have two or more`);
  const others = test.y.filter((label) => !taught.has(label));
  if (others.length === 0) return [];
  const classes = [...new Set(others)].toSorted((a, b) => a - b);
  const name = (at: number): string => (labels[at] === String(at) ? String(at) : `${at} (${labels[at]})`);
  const named = `${classes.slice(0, mostNamed).map(name).join(", ")}${classes.length > mostNamed ? ", ..." : ""}`;
  const which = classes.length === 1 ? "a class" : `${classes.length} classes`;
  return [
    `y_test has ${others.length} of its ${test.count} samples in ${which} that y_train has no sample of: ${named}. No model can learn that ` +
      "from it, so these samples count as wrong answers",
  ];
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
