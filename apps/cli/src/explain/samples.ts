import { AppError, type Preprocessing } from "@whittle/contracts";
import { loadDataset, toFloat, type Dataset } from "@whittle/zoo";
import { zooDataset } from "@whittle/zoo/catalog";

/**
 * The data set that a model was made on, as this machine has it.
 * @throws AppError `unsupported` where it has not: only the workers read uploaded data sets.
 */
export async function datasetOf(name: string | undefined, dirs: string[]): Promise<Dataset> {
  if (name !== undefined && zooDataset(name)) return loadDataset(name, { dirs });
  const what = name === undefined ? "the model does not say what it was made on" : `${name} is not of the zoo`;
  throw new AppError("unsupported", `${what}, so its samples are not here: give --input, and --baseline as a number`);
}

/** One sample of a data set. */
export interface TestSample {
  /** As a model sees it, row-major. */
  values: Float32Array;
  shape: number[];
  /** The class that it has. */
  label: string;
  /** What each of its places says, where it is a sequence of tokens. */
  tokens: string[];
}

/** A sample of the test part, counted from 0. @throws AppError `invalid_request` when there are fewer. */
export function testSample(data: Dataset, index: number, preprocessing: Preprocessing): TestSample {
  const { name, test, inputShape: shape, labels, vocabulary } = data;
  if (index >= test.count)
    throw new AppError("invalid_request", `--sample must be 0 to ${test.count - 1} in ${name}, not ${index}`);
  const size = sizeOf(shape);
  const x = test.x.subarray(index * size, (index + 1) * size);
  const y = test.y.subarray(index, index + 1);
  const tokens = vocabulary ? Array.from(x, (id) => vocabulary[id] ?? "") : [];
  return { values: toFloat({ x, y, count: 1 }, preprocessing), shape, label: labels[y[0] ?? 0] ?? "", tokens };
}

/** The mean of each value over the training samples, as a model sees it. @throws AppError `invalid_request` for tokens, which have none. */
export function meanSample(
  { name, train, inputShape, vocabulary }: Dataset,
  { scale, offset }: Preprocessing,
): Float32Array {
  if (vocabulary)
    throw new AppError("invalid_request", `--baseline mean: the samples of ${name} are tokens: give one as a number`);
  const size = sizeOf(inputShape);
  const sums = new Float64Array(size);
  for (let at = 0; at < train.x.length; at++) sums[at % size] = (sums[at % size] ?? 0) + (train.x[at] ?? 0);
  return Float32Array.from(sums, (sum) => (sum / train.count) * scale + offset);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
