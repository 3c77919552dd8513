import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppError } from "@whittle/contracts";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { checkpointFiles, storedCheckpoints } from "./checkpoint-files.ts";
import type { Checkpoint } from "./checkpoint.ts";
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

/** The hooks of a training with the checkpoints of this test's folder, and what they warn of. */
function hooksOn(path = folder) {
  const warnings: string[] = [];
  return { ...storedCheckpoints(checkpointFiles(path), { warn: (message) => warnings.push(message) }), warnings };
}

/** Leaves two checkpoints of 8 steps, those after 4 and after 8. */
async function leaveTwo() {
  await train({ checkpoint: hooksOn() });
  expect((await readdir(folder)).toSorted()).toEqual(["checkpoint-1", "checkpoint-2"]);
}

async function damage(number: number, how: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const path = checkpointFiles(folder).path(number);
  await writeFile(path, how(await readFile(path)));
}

const flipBit = (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 9 ? byte ^ 1 : byte));

describe("stored checkpoints", () => {
  it("come back as they were saved, and are none before", async () => {
    const path = join(folder, "job", "checkpoints");
    expect(await hooksOn(path).load()).toBeUndefined();
    let saved: Checkpoint | undefined;
    const writing = hooksOn(path);
    await train({ checkpoint: { ...writing, save: (made) => writing.save((saved = made)) } });
    const hooks = hooksOn(path);
    expect(await hooks.load()).toEqual(saved);
    expect(saved).toMatchObject({ epoch: 2, batch: 0, step: 8 });
    expect(Object.keys(saved?.state ?? {})).toContain("logits/bias/square");
    expect(hooks.warnings).toEqual([]);
  });

  it("are two, the newest, and no other file", async () => {
    await train({ checkpoint: { ...hooksOn(), everySeconds: 0 } });
    expect((await readdir(folder)).toSorted()).toEqual(["checkpoint-10", "checkpoint-9"]);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
    ["has a flipped bit", flipBit, "its SHA-256 is"],
    ["is cut short", (bytes) => bytes.subarray(0, bytes.length - 1), "its SHA-256 is"],
    ["is empty", () => new Uint8Array(), "doesn't begin like a checkpoint"],
    ["is something else", () => Buffer.from("half a check"), "doesn't begin like a checkpoint"],
  ])("are gone back to when the newest %s, with a warning that says why", async (_how, change, why) => {
    await leaveTwo();
    await damage(2, change);
    const hooks = hooksOn();
    expect(await hooks.load()).toMatchObject({ epoch: 1, step: 4 });
    expect(hooks.warnings).toEqual([expect.stringContaining("going back to checkpoint 1: checkpoint 2 can't be used")]);
    expect(hooks.warnings[0]).toContain(why);
  });

  it("bring a training to the same end from the one before as from the newest", async () => {
    const [whole, again] = [tinyModel(), tinyModel()];
    const settings = { ...blobs(64, 1), epochs: 2, batchSize: 16 };
    await fit(whole, { ...settings, checkpoint: hooksOn() });
    await damage(2, flipBit);
    await fit(again, { ...settings, checkpoint: hooksOn() });
    expect(modelWeights(again)).toEqual(modelWeights(whole));
    // The damaged one is not counted among the two.
    expect((await readdir(folder)).toSorted()).toEqual(["checkpoint-1", "checkpoint-3"]);
    expect(await hooksOn().load()).toMatchObject({ epoch: 2 });
  });

  it("are started over without, and both are told, when both are damaged", async () => {
    await leaveTwo();
    await damage(1, flipBit);
    await damage(2, flipBit);
    const hooks = hooksOn();
    expect(await hooks.load()).toBeUndefined();
    expect(hooks.warnings).toEqual([
      expect.stringContaining("going back to checkpoint 1"),
      expect.stringContaining("starting over: checkpoint 1 can't be used"),
    ]);
  });

  it("count a file that a crash left half written for nothing", async () => {
    await leaveTwo();
    await writeFile(join(folder, "checkpoint-3.0.tmp"), "half");
    const hooks = hooksOn();
    expect(await hooks.load()).toMatchObject({ step: 8 });
    expect(hooks.warnings).toEqual([]);
  });
});

describe("a training with checkpoints", () => {
  it("ends at once when the training was already finished", async () => {
    const hooks = hooksOn();
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

  it("is refused by a training with another optimizer", async () => {
    const hooks = hooksOn();
    await train({ checkpoint: hooks, epochs: 1 });
    const other = train({ checkpoint: hooks, optimizer: { type: "momentum" } });
    await expect(other).rejects.toMatchObject({ code: "corrupt" });
  });

  it("leaves a training that it does not fit to start over, as if it were not there, where its hooks take the refusal", async () => {
    const optimizer = { type: "momentum" } as const;
    const [fresh, model] = [tinyModel(), tinyModel()];
    const settings = { ...blobs(64, 1), epochs: 2, batchSize: 16 };
    await fit(fresh, { ...settings, optimizer });
    const hooks = hooksOn();
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

  it("saves one when it is aborted while it judges an epoch, and goes on with that", async () => {
    const validation = blobs(60, 2);
    const whole = await train({ validation });
    let saved: Checkpoint | undefined;
    const checkpoint = {
      load: () => Promise.resolve(saved),
      save: (state: Checkpoint) => Promise.resolve(void (saved = structuredClone(state))),
    };
    const abort = new AbortController();
    const aborted = train({
      validation,
      ema: {},
      checkpoint,
      signal: abort.signal,
      // After the last step of an epoch nothing looks at the signal before the validation does.
      onBatch: ({ batch, batches, epoch }) => epoch === 2 && batch === batches && abort.abort(),
    });
    await expect(aborted).rejects.toMatchObject({ code: "cancelled", message: expect.stringContaining("Evaluation") });
    expect(saved).toMatchObject({ epoch: 1, batch: 4, step: 8 });
    const onBatch = () => expect.unreachable("no step is left");
    const { epochs } = await train({ validation, ema: {}, checkpoint, onBatch });
    expect(epochs.map(({ loss }) => loss)).toEqual(whole.epochs.map(({ loss }) => loss));
  });
});
