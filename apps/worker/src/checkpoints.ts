import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { AppError, toAppError } from "@whittle/contracts";
import type { Scratch } from "@whittle/store";
import { patiently } from "./patience.ts";

export interface CheckpointOptions {
  /** The job's scratch space in the store, which every host reaches. */
  scratch: Pick<Scratch, "read" | "write" | "remove">;
  /** The run's; it begins the names of what the run writes. */
  epoch: number;
  /** Tells that a checkpoint is the newest. @returns those not needed any more. @throws AppError `conflict` for a late run. */
  point: (name: string) => Promise<string[]>;
  /** Stops the waiting for a store that can't be read; its reason is what {@link Checkpoints} `restore` then throws. */
  signal: AbortSignal;
  warn: (message: string) => void;
  /** As of {@link patiently}. */
  pausesMs?: number[];
}

/** Carries a job's checkpoints from one run to the next, wherever that runs. */
export interface Checkpoints {
  /**
   * Puts the newest of each series in `names` that is whole into the folder.
   * @throws AppError `unavailable` when the store can't say what it has: another try then costs less than going on from an older one.
   */
  restore: (names: string[], folder: string) => Promise<void>;
  /** Makes a file, as it is now, what the next run finds in its folder under the same name. */
  keep: (path: string) => Promise<void>;
}

export function createCheckpoints(options: CheckpointOptions): Checkpoints {
  const { scratch, epoch, point, signal, warn, pausesMs } = options;
  let written = 0;

  const read = async (name: string): Promise<Uint8Array | undefined> => {
    try {
      const bytes = await patiently(() => scratch.read(name), signal, pausesMs);
      if (!bytes) warn(`checkpoint ${name} is gone`);
      return bytes;
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = toAppError(error);
      if (code === "unavailable")
        throw new AppError("unavailable", `checkpoint ${name} can't be read now: ${message}`, { cause: error });
      warn(`checkpoint ${name} can't be used: ${message}`);
      return undefined;
    }
  };

  const restore: Checkpoints["restore"] = async (names, folder) => {
    const restored = new Set<string>();
    for (const name of names) {
      if (restored.has(seriesOf(name))) continue;
      const bytes = await read(name);
      if (!bytes) continue;
      await writeFile(join(folder, fileOf(name)), bytes);
      restored.add(seriesOf(name));
    }
  };

  const keep: Checkpoints["keep"] = async (path) => {
    const name = `${epoch}-${++written}-${basename(path)}`;
    try {
      await scratch.write(name, await readFile(path));
    } catch (error) {
      // Without it a later run repeats more; that is no reason to end this one.
      return warn(`the checkpoint was not kept: ${toAppError(error).message}`);
    }
    const old = await point(name).catch(async (error: AppError) => {
      await scratch.remove(name);
      throw error;
    });
    for (const each of old) await scratch.remove(each);
  };
  return { restore, keep };
}

/** Removes what the runs up to `epoch` have kept. */
export async function clearCheckpoints(scratch: Pick<Scratch, "list" | "remove">, epoch: number): Promise<void> {
  for (const name of await scratch.list()) if (epochOf(name) <= epoch) await scratch.remove(name);
}

function epochOf(name: string): number {
  return Number.parseInt(name, 10);
}

/** `2-7-checkpoint`: the seventh that run 2 kept. */
function fileOf(name: string): string {
  return name.replace(/^\d+-\d+-/, "");
}

/** A file's name without its number: `checkpoint-round-1-12` is of the series `checkpoint-round-1`. */
function seriesOf(name: string): string {
  return fileOf(name).replace(/-\d+$/, "");
}
