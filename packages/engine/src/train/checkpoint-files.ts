import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { AppError, toAppError } from "@whittle/contracts";
import type { Checkpoint, CheckpointHooks } from "./checkpoint.ts";

/** Where checkpoints are kept, each under a number: a folder, or a place that other hosts reach. Larger numbers are newer. */
export interface CheckpointFiles {
  list: () => Promise<number[]>;
  read: (number: number) => Promise<Uint8Array>;
  /** Writes a new number, whole or not at all. */
  write: (number: number, bytes: Uint8Array) => Promise<void>;
  remove: (number: number) => Promise<void>;
}

/** Checkpoints as the files `<name>-<number>` of a folder, which is made when the first is written. */
export function checkpointFiles(
  folder: string,
  name = "checkpoint",
): CheckpointFiles & { path: (number: number) => string } {
  const path = (number: number) => join(folder, `${name}-${number}`);
  return {
    path,
    async list() {
      const numbers = (await namesIn(folder))
        .filter((file) => file.startsWith(`${name}-`))
        .map((file) => file.slice(name.length + 1));
      return numbers.filter((number) => /^\d+$/.test(number)).map(Number);
    },
    read: (number) => readFile(path(number)),
    write: (number, bytes) => writeAtomically(folder, path(number), bytes),
    remove: (number) => rm(path(number), { force: true }),
  };
}

/** Checkpoints that are kept: the newest, and one to fall back to. */
const kept = 2;

/**
 * Hooks that keep the last two checkpoints, each with a SHA-256 of its content. One that is damaged is passed over for the one before.
 * @param warn is told which could not be read, why, and what is done instead.
 */
export function storedCheckpoints(
  files: CheckpointFiles,
  { warn, everySeconds }: { warn: (message: string) => void; everySeconds?: number },
): CheckpointHooks {
  let whole: number[] = [];
  const load = async (): Promise<Checkpoint | undefined> => {
    const newestFirst = (await files.list()).toSorted((a, b) => b - a);
    for (const [index, number] of newestFirst.entries()) {
      try {
        const checkpoint = decode(await files.read(number));
        whole = [number];
        return checkpoint;
      } catch (error) {
        const next = newestFirst[index + 1];
        const instead = next === undefined ? "starting over" : `going back to checkpoint ${next}`;
        warn(`${instead}: checkpoint ${number} can't be used, ${toAppError(error).message}`);
      }
    }
    return undefined;
  };
  const save = async (checkpoint: Checkpoint): Promise<void> => {
    const before = await files.list();
    const number = Math.max(0, ...before) + 1;
    await files.write(number, encode(checkpoint));
    whole = [...whole, number].slice(-kept);
    for (const old of before) if (!whole.includes(old)) await files.remove(old);
  };
  return { load, save, ...(everySeconds !== undefined && { everySeconds }) };
}

const mark = Buffer.from("whittle-checkpoint-2\n");
const digestLength = 32;

/** A mark of the format, the SHA-256 of what follows, and the checkpoint. */
function encode(checkpoint: Checkpoint): Uint8Array {
  const content = serialize(checkpoint);
  return Buffer.concat([mark, digestOf(content), content]);
}

function decode(bytes: Uint8Array): Checkpoint {
  if (!mark.equals(bytes.subarray(0, mark.length))) throw new AppError("corrupt", "it doesn't begin like a checkpoint");
  const content = bytes.subarray(mark.length + digestLength);
  const [said, is] = [Buffer.from(bytes.subarray(mark.length, mark.length + digestLength)), digestOf(content)];
  if (!is.equals(said)) {
    throw new AppError("corrupt", `its SHA-256 is ${is.toString("hex")} and should be ${said.toString("hex")}`);
  }
  const checkpoint: Checkpoint = deserialize(content);
  return checkpoint;
}

function digestOf(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** A crash at any moment leaves no file of this name, or a whole one. */
async function writeAtomically(folder: string, path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await synced(temporary, "w", (file) => file.writeFile(bytes));
    await rename(temporary, path);
    await synced(folder, "r");
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Opens a file or a folder, and makes sure that what was done reaches the disk. */
async function synced(
  path: string,
  flags: "w" | "r",
  work?: (file: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    await work?.(file);
    await file.sync();
  } finally {
    await file.close();
  }
}
