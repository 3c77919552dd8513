import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { deserialize, serialize } from "node:v8";
import { AppError } from "@whittle/contracts";
import type { ModelWeights } from "../model-io/weights.ts";
import type { Progress } from "./best.ts";
import type { Totals } from "./tally.ts";
import type { EpochPoint } from "./types.ts";

/**
 * Everything that a training needs to go on as if it had never stopped. The order of the samples and the dropout follow from the
 * seed, the epoch and the step, so their place is all there is to keep.
 */
export interface Checkpoint {
  /** Epochs finished, steps done in the one after them, and steps in all. */
  epoch: number;
  batch: number;
  step: number;
  /** What the steps done in the epoch under way took. */
  epochSeconds: number;
  totals: Totals;
  weights: ModelWeights;
  /** What the optimizer remembers, the averages, the variables of the loss, and masks that may change. */
  state: ModelWeights;
  progress: Progress;
  bestWeights?: ModelWeights;
  history: EpochPoint[];
}

export interface CheckpointHooks {
  /** The checkpoint to go on from, if there is one. */
  load(): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
  /** Told why a loaded checkpoint does not fit the model or the settings: the training then starts over. Left out: it is an error. */
  refused?(error: AppError): void;
  /** Saved at the end of every epoch, when the training is aborted, and otherwise this often; 30 by default. */
  everySeconds?: number;
}

/** A checkpoint in one file, replaced whole: a crash at any moment leaves the old one or the new one. */
export function fileCheckpoint(path: string, everySeconds?: number): CheckpointHooks {
  return {
    load: () => readCheckpoint(path),
    save: (checkpoint) => writeAtomically(path, serialize(checkpoint)),
    ...(everySeconds !== undefined && { everySeconds }),
  };
}

async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  try {
    const checkpoint: Checkpoint = deserialize(await readFile(path));
    return checkpoint;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new AppError("corrupt", `The checkpoint ${path} can't be read; remove it to start over`, { cause });
  }
}

async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
