import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppError } from "@whittle/contracts";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { fileCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { fit } from "./fit.ts";
import { blobs, tinyModel } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true }));

const train = (options: Partial<FitOptions>) =>
  fit(tinyModel(), { ...blobs(64, 1), epochs: 2, batchSize: 16, ...options });

describe("fileCheckpoint", () => {
  it("brings back what was saved, and is nothing before", async () => {
    const hooks = fileCheckpoint(join(folder, "job", "checkpoint"));
    expect(await hooks.load()).toBeUndefined();
    await train({ checkpoint: hooks });
    const loaded = await hooks.load();
    expect(loaded).toMatchObject({ epoch: 2, batch: 0, step: 8 });
    expect(loaded?.weights["hidden/kernel"]).toEqual({ shape: [2, 8], data: expect.any(Float32Array) });
    expect(Object.keys(loaded?.state ?? {})).toContain("logits/bias/square");
    expect(await readdir(join(folder, "job"))).toEqual(["checkpoint"]);
  });

  it("ends at once when the training was already finished", async () => {
    const hooks = fileCheckpoint(join(folder, "checkpoint"));
    const first = await train({ checkpoint: hooks });
    const again = await train({ checkpoint: hooks, onBatch: () => expect.unreachable("no step is left") });
    expect(again.epochs).toEqual(first.epochs);
  });

  it("is saved between epochs as often as asked", async () => {
    let saves = 0;
    const hooks = {
      load: () => Promise.resolve(undefined),
      save: () => Promise.resolve(void (saves += 1)),
    };
    await train({ checkpoint: { ...hooks, everySeconds: 0 } });
    expect(saves).toBe(2 * 4 + 2);
    saves = 0;
    await train({ checkpoint: hooks });
    expect(saves).toBe(2);
  });

  it("says which file is damaged", async () => {
    const path = join(folder, "checkpoint");
    await writeFile(path, "not a checkpoint");
    await expect(fileCheckpoint(path).load()).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining(path),
    });
  });

  it("is refused by a training with another optimizer", async () => {
    const hooks = fileCheckpoint(join(folder, "checkpoint"));
    await train({ checkpoint: hooks, epochs: 1 });
    const other = train({ checkpoint: hooks, optimizer: { type: "momentum" } });
    await expect(other).rejects.toMatchObject({ code: "corrupt" });
  });

  it("leaves a training that it does not fit to start over, as if it were not there, where its hooks take the refusal", async () => {
    const optimizer = { type: "momentum" } as const;
    const [fresh, model] = [tinyModel(), tinyModel()];
    const settings = { ...blobs(64, 1), epochs: 2, batchSize: 16 };
    await fit(fresh, { ...settings, optimizer });
    const hooks = fileCheckpoint(join(folder, "checkpoint"));
    await train({ checkpoint: hooks, epochs: 1 });
    const refusals: AppError[] = [];
    const checkpoint = { ...hooks, refused: (error: AppError) => void refusals.push(error) };
    const { epochs } = await fit(model, { ...settings, optimizer, checkpoint });
    expect(refusals).toMatchObject([{ code: "corrupt" }]);
    expect(epochs).toHaveLength(2);
    expect(modelWeights(model)).toEqual(modelWeights(fresh));
  });

  it("carries the seconds of the epochs, also of the one under way, to the attempt that goes on", async () => {
    let saved: Checkpoint | undefined;
    const checkpoint = {
      load: () => Promise.resolve(saved),
      save: (state: Checkpoint) => Promise.resolve(void (saved = structuredClone(state))),
    };
    const abort = new AbortController();
    const stopIn = ({ step }: { step: number }) => step === 6 && abort.abort();
    const stopped = train({ checkpoint, signal: abort.signal, onBatch: stopIn });
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    expect(saved?.epochSeconds).toBeGreaterThan(0);
    saved = saved && {
      ...saved,
      epochSeconds: 2000,
      history: saved.history.map((point) => ({ ...point, seconds: 1000 })),
    };
    const { seconds, epochs } = await train({ checkpoint });
    expect(epochs[1]?.seconds).toBeGreaterThan(2000);
    expect(seconds).toBe(1000 + (epochs[1]?.seconds ?? 0));
    expect(saved?.epochSeconds).toBe(0);
  });
});
