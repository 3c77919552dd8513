import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { TrainCase } from "./cases.ts";
import type { Samples } from "./tfjs.ts";

export interface Torch {
  version: string;
  /** Samples per second of PyTorch with Adam, as it is by default or fused into one kernel. */
  train(trainCase: TrainCase, fused: boolean): Promise<number>;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL("torch_train.py", import.meta.url));

/**
 * Starts PyTorch beside us, on the same samples and as many threads, idle until asked.
 * @param python the interpreter, `python3` or another that has torch.
 * @returns undefined where it has none.
 */
export async function startTorch(python: string, data: Samples): Promise<Torch | undefined> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "whittle-bench-"));
  const files = [path.join(folder, "x.f32"), path.join(folder, "y.i32")] as const;
  await writeFile(files[0], bytesOf(await data.x.data<"float32">()));
  await writeFile(files[1], bytesOf(data.y));
  const child = spawn(python, [program, ...files, String(os.availableParallelism())], {
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
  const train = async ({ family, familyParams, batchSize, samples }: TrainCase, fused: boolean): Promise<number> => {
    child.stdin.write(`${JSON.stringify({ family, familyParams, batchSize, samples, fused })}\n`);
    return z.object({ samplesPerSecond: z.number() }).parse(await answer()).samplesPerSecond;
  };
  return { version: hello.data.version, train, close };
}

function bytesOf(array: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
