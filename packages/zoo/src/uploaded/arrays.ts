/** What is needed to read an upload safely, whatever else is asked of one that is accepted. */
import type { Splits } from "../dataset.ts";
import { parseNpy, readIntegers, readNumbers, type NpyArray } from "./npy.ts";
import { wrong } from "./wrong.ts";
import { unzip, type Archive } from "./zip.ts";

const needed = ["x_train", "y_train", "x_test", "y_test"] as const;
const files = [...needed, "labels", "vocabulary"].map((name) => `${name}.npy`);

/** The arrays of an archive. */
export interface Arrays {
  x: { train: NpyArray; test: NpyArray };
  y: { train: NpyArray; test: NpyArray };
  labels?: NpyArray;
  vocabulary?: NpyArray;
}

/**
 * Unpacks an archive's arrays; their values are not looked at.
 * @param options.limitBytes what they may have together; without it there is no limit.
 * @param options.skipOthers leave entries of other names alone instead of refusing them.
 * @throws AppError `invalid_request` that names the array; `payload_too_large`.
 */
export async function readArrays(
  file: Uint8Array | Archive,
  { limitBytes = Infinity, skipOthers = false }: { limitBytes?: number | undefined; skipOthers?: boolean } = {},
): Promise<Arrays> {
  const unpacked = await unzip(file, { names: files, limitBytes, skipOthers });
  const find = (name: string): NpyArray | undefined => {
    const array = unpacked.get(`${name}.npy`);
    return array && parseNpy(array, name);
  };
  const need = (name: string): NpyArray => {
    const array = find(name);
    if (!array) throw wrong(name, `is missing; the file must have ${needed.join(", ")}`);
    return array;
  };
  const [labels, vocabulary] = [find("labels"), find("vocabulary")];
  return {
    x: { train: need("x_train"), test: need("x_test") },
    y: { train: need("y_train"), test: need("y_test") },
    ...(labels && { labels }),
    ...(vocabulary && { vocabulary }),
  };
}

/**
 * The samples, with token ids below `tokens` where there are such, and classes below `classes`.
 * @param are what the classes are, for errors.
 * @throws AppError `invalid_request` that names the array, for other types and for values that are out of range or not finite.
 */
export function readSplits({ x, y }: Arrays, read: { tokens?: number; classes: number; are: string }): Splits {
  const { tokens, classes, are } = read;
  const values = (array: NpyArray) => (tokens === undefined ? readNumbers(array) : readTokens(array, tokens));
  const split = (side: "train" | "test") => {
    const labels = readIntegers(y[side], classes, are);
    return { x: values(x[side]), y: labels, count: labels.length };
  };
  return { train: split("train"), test: split("test") };
}

/** A token's id is kept as one byte where that is enough, else as a float, which holds it exactly. */
function readTokens(x: NpyArray, tokens: number): Uint8Array | Float32Array {
  const ids = readIntegers(x, tokens, `token ids from 0 to ${tokens - 1}, places in vocabulary`);
  return tokens <= 256 ? Uint8Array.from(ids) : Float32Array.from(ids);
}
