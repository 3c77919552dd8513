import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { DataName, TrainCase } from "./cases.ts";
import type { Samples } from "./samples.ts";

const trained = z.object({ samplesPerSecond: z.number(), parameters: z.int() });

/** What PyTorch answers: its pace, and how many weights its model trains. */
export type TorchResult = z.infer<typeof trained>;

export interface Torch {
  version: string;
  /** Trains with Adam, as it is by default or fused into one kernel. */
  train(trainCase: TrainCase, fused: boolean): Promise<TorchResult>;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL("torch_train.py", import.meta.url));

/**
 * Starts PyTorch beside us, on the same samples and as many threads, idle until asked.
 * @param python the interpreter, `python3` or another that has torch.
 * @returns undefined where it has none.
 */
export async function startTorch(python: string, data: Map<DataName, Samples>): Promise<Torch | undefined> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "whittle-bench-"));
  await Promise.all([...data].map(([name, samples]) => writeSamples(path.join(folder, name), samples)));
  const child = spawn(python, [program, folder, String(os.availableParallelism())], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.on("error", () => child.stdout.destroy());
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    return done === true ? undefined : JSON.parse(value);
  };
  const close = async (): Promise<void> => {
    child.kill();
    await rm(folder, { recursive: true, force: true });
  };
  const hello = z.object({ version: z.string() }).safeParse(await answer());
  if (!hello.success) {
    await close();
    return undefined;
  }
  const train = async (trainCase: TrainCase, fused: boolean): Promise<TorchResult> => {
    const { family, familyParams, data: name, batchSize, samples } = trainCase;
    const shape = data.get(name)?.shape;
    child.stdin.write(`${JSON.stringify({ family, familyParams, data: name, shape, batchSize, samples, fused })}\n`);
    return trained.parse(await answer());
  };
  return { version: hello.data.version, train, close };
}

async function writeSamples(file: string, { x, y }: Samples): Promise<void> {
  await writeFile(`${file}.x`, bytesOf(await x.data<"float32">()));
  await writeFile(`${file}.y`, bytesOf(y));
}

function bytesOf(array: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
