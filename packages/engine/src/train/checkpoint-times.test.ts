import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { initEngine } from "../runtime/init.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { fit } from "./fit.ts";
import { blobs, tinyModel } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

/** The time of day as the training sees it, ms: only what a test says takes time. */
let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

interface Case extends Partial<FitOptions> {
  /** What each epoch of four steps and each checkpoint takes, ms. */
  epochMs: number;
  saveMs: (saved: number) => number;
  everySeconds?: number;
  found?: Checkpoint;
}

/** Trains. @returns the checkpoints, and the share of the time between the first and the last that the later ones took. */
async function train({ epochMs, saveMs, everySeconds, found, ...options }: Case) {
  const saved: Checkpoint[] = [];
  let [first, spent] = [Number.NaN, 0];
  const save = (checkpoint: Checkpoint): Promise<void> => {
    const ms = saveMs(saved.length);
    now += ms;
    if (saved.length === 0) first = now;
    else spent += ms;
    saved.push(structuredClone(checkpoint));
    return Promise.resolve();
  };
  const checkpoint = { load: () => Promise.resolve(found), save, ...(everySeconds !== undefined && { everySeconds }) };
  const onBatch: FitOptions["onBatch"] = (point) => {
    now += epochMs / 4;
    options.onBatch?.(point);
  };
  await fit(tinyModel(), { ...blobs(64, 1), epochs: 20, batchSize: 16, ...options, checkpoint, onBatch });
  return { saved, at: saved.map(({ epoch, batch }) => epoch + batch / 4), share: spent / (now - first) };
}

describe("checkpoints of short epochs", () => {
  it("follow the first epoch, then the first whose end is a hundred times the last one's cost away, then the last", async () => {
    // 86 ms each: the next after 8.6 s, which is in the fifth epoch of 2 s after the one before.
    const { at, share } = await train({ epochMs: 2000, saveMs: () => 86 });
    expect(at).toEqual([1, 6, 11, 16, 20]);
    expect(share).toBeLessThan(0.01);
  });

  it("follow every epoch where they cost little enough", async () => {
    const { at } = await train({ epochs: 5, epochMs: 2000, saveMs: () => 20 });
    expect(at).toEqual([1, 2, 3, 4, 5]);
  });

  it("go by what the last one took, not the first", async () => {
    const { at } = await train({ epochMs: 2000, saveMs: (saved) => (saved === 0 ? 120 : 40) });
    expect(at).toEqual([1, 7, 9, 11, 13, 15, 17, 19, 20]);
  });

  it("are never further apart than 30 s, or than the hooks say, whatever they cost", async () => {
    // A cost of 1 s asks for 100 s.
    expect((await train({ epochMs: 2000, saveMs: () => 1000 })).at).toEqual([1, 16, 20]);
    expect((await train({ epochMs: 2000, saveMs: () => 1000, everySeconds: 4 })).at).toEqual([
      1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 20,
    ]);
  });
});

describe("checkpoints of long epochs", () => {
  it("lie 30 s apart within them, and follow each end that they can afford", async () => {
    const { at } = await train({ epochs: 3, epochMs: 80_000, saveMs: () => 100 });
    expect(at).toEqual([0.5, 1, 1.5, 2, 2.5, 3]);
  });
});

describe("checkpoints, whatever they cost,", () => {
  it("are taken at the step of an abort", async () => {
    const abort = new AbortController();
    const saved: Checkpoint[] = [];
    const checkpoint = {
      load: () => Promise.resolve(undefined),
      save: (made: Checkpoint) => Promise.resolve(void ((now += 1000), saved.push(structuredClone(made)))),
    };
    const onBatch: FitOptions["onBatch"] = ({ step }) => void ((now += 500), step === 14 && abort.abort());
    const settings = { ...blobs(64, 1), epochs: 20, batchSize: 16 };
    const stopped = fit(tinyModel(), { ...settings, checkpoint, onBatch, signal: abort.signal });
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    expect(saved.map(({ step }) => step)).toEqual([4, 14]);
  });

  it("are taken at the end of a training that stops early", async () => {
    const validation = blobs(60, 2);
    const earlyStopping = { patience: 2, minDelta: 1 };
    const { at } = await train({ epochMs: 2000, saveMs: () => 1000, validation, monitor: "loss", earlyStopping });
    expect(at).toEqual([1, 3]);
  });

  it("follow the first epoch after a resume, as what they cost there is not known", async () => {
    const { saved } = await train({ epochs: 4, epochMs: 2000, saveMs: () => 1000 });
    const { at } = await train({ epochMs: 2000, saveMs: () => 1000, found: saved.at(-1) });
    expect(at).toEqual([5, 20]);
  });
});
