import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { AppError } from "@whittle/contracts";
import type { Split, Splits } from "./dataset.ts";
import { defineLoader } from "./loader.ts";

/** The four files of MNIST and of the sets made like it. */
const files = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" },
};

const names = Object.values(files).flatMap(({ images, labels }) => [images, labels]);

/** Reads a folder that holds the four files, each as it is or gzipped (`.gz`). */
export const idxFolder = defineLoader({
  files: names,
  isHere: (folder) => names.every((name) => pathOf(folder, name) !== undefined),
  load: readIdxFolder,
});

/**
 * Reads the images and labels of a folder.
 * @throws AppError `not_found` when a file is missing, `corrupt` when one is not what it should be.
 */
async function readIdxFolder(folder: string): Promise<Splits> {
  const [train, test] = await Promise.all([readSplit(folder, files.train), readSplit(folder, files.test)]);
  return { train, test };
}

async function readSplit(folder: string, { images, labels }: { images: string; labels: string }): Promise<Split> {
  const [x, y] = await Promise.all([readIdxFile(folder, images, 3), readIdxFile(folder, labels, 1)]);
  return { x: x.values, y: Int32Array.from(y.values), count: x.shape[0] ?? 0 };
}

async function readIdxFile(folder: string, name: string, rank: number): Promise<IdxArray> {
  const path = pathOf(folder, name);
  if (path === undefined) throw new AppError("not_found", `There is no ${name} (or ${name}.gz) in ${folder}`);
  const array = parseIdx(await inflate(await readFile(path), path), path);
  if (array.shape.length === rank) return array;
  throw corrupt(path, `has ${array.shape.length} dimensions, but must have ${rank}`);
}

function pathOf(folder: string, name: string): string | undefined {
  return [join(folder, name), join(folder, `${name}.gz`)].find((path) => existsSync(path));
}

async function inflate(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes);
  } catch (cause) {
    throw corrupt(path, "is not whole: gunzip failed", cause);
  }
}

/** An array of bytes in row-major order. */
export interface IdxArray {
  shape: number[];
  values: Uint8Array;
}

/**
 * Reads the IDX format (yann.lecun.com/exdb/mnist): two zero bytes, 0x08 for unsigned bytes, the number of dimensions, each
 * dimension as a big-endian 32-bit number, and the values.
 * @param path names the content in errors.
 * @throws AppError `corrupt` when the type is another one or the size is not what the dimensions say.
 */
export function parseIdx(bytes: Uint8Array, path: string): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = bytes.length >= 4 ? view.getUint32(0) : 0;
  const rank = magic & 0xff;
  if (magic >>> 8 !== 0x08 || rank === 0) {
    const found = `0x${magic.toString(16).padStart(8, "0")}`;
    throw corrupt(
      path,
      `is not an IDX file of bytes: it begins with ${found}, not 0x000008 and the number of dimensions`,
    );
  }
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw corrupt(path, `ends within its header of ${header} bytes`);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = shape.reduce((product, length) => product * length, 1);
  if (bytes.length - header !== size) {
    throw corrupt(path, `has ${bytes.length - header} values, but its header says ${shape.join(" x ")} = ${size}`);
  }
  return { shape, values: new Uint8Array(bytes.buffer, bytes.byteOffset + header, size) };
}

function corrupt(path: string, problem: string, cause?: unknown): AppError {
  return new AppError("corrupt", `${basename(path)} ${problem} (${path})`, { cause });
}
