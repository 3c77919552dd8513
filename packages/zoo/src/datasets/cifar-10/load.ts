import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError, parse, toAppError } from "@whittle/contracts";
import { decode } from "fast-png";
import { z } from "zod";
import type { Split } from "../../dataset.ts";
import { defineLoader } from "../../loader.ts";
import { dataset } from "./contract.ts";

/** Each picture holds an image a row: its pixels in row-major order, [32, 32, 3]. */
const files = {
  train: { pictures: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.png`), labels: "train_lables.json" },
  test: { pictures: ["test_batch.png"], labels: "test_lables.json" },
};

const names = Object.values(files).flatMap(({ pictures, labels }) => [...pictures, labels]);

export const load = defineLoader({
  files: names,
  isHere: (folder) => names.every((name) => existsSync(join(folder, name))),
  load: async (folder) => ({ train: await readSplit(folder, files.train), test: await readSplit(folder, files.test) }),
});

async function readSplit(folder: string, { pictures, labels }: (typeof files)["train"]): Promise<Split> {
  const parts: Uint8Array[] = [];
  for (const name of pictures) parts.push(await readPicture(join(folder, name)));
  const y = await readLabels(join(folder, labels));
  return { x: Buffer.concat(parts), y: Int32Array.from(y), count: y.length };
}

async function readLabels(file: string): Promise<number[]> {
  const text = await readFile(file, "utf8");
  try {
    return parse(z.array(z.int()), JSON.parse(text), file);
  } catch (cause) {
    throw new AppError("corrupt", `${file} is not a list of labels: ${toAppError(cause).message}`, { cause });
  }
}

/** @throws AppError `corrupt` when the file is not a whole PNG of three bytes a pixel and 32 x 32 pixels a row. */
async function readPicture(file: string): Promise<Uint8Array> {
  const { width, channels, depth, data } = decodePicture(await readFile(file), file);
  const [height = 0, across = 0, colours = 0] = dataset.inputShape;
  if (data instanceof Uint8Array && width === height * across && channels === colours) return data;
  const found = `rows of ${width} pixels of ${channels} times ${depth} bits`;
  throw new AppError("corrupt", `${file} has ${found}, but must have ${height * across} of ${colours} times 8 bits`);
}

function decodePicture(bytes: Uint8Array, file: string) {
  try {
    return decode(bytes, { checkCrc: true });
  } catch (cause) {
    throw new AppError("corrupt", `${file} is not a whole PNG: ${toAppError(cause).message}`, { cause });
  }
}
