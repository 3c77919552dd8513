import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { rowsOf } from "./batch.ts";
import { Batcher, type BatchLimits } from "./batcher.ts";
import type { Tensors } from "./messages.ts";

const vector = (...values: number[]): Tensors => ({
  x: { datatype: "FP32", shape: [values.length, 1], data: Float32Array.from(values) },
});

/** A model that doubles its inputs, refuses 13, and works only while the gate is open. */
function doubling(limits: Partial<BatchLimits> = {}) {
  const batches: number[] = [];
  const openers: (() => void)[] = [];
  let gate = Promise.resolve();
  const batcher = new Batcher({
    key: "double",
    maxRows: 4,
    maxDelayMs: 0,
    maxQueue: 100,
    ...limits,
    acquire: async () => ({
      run: async (_key, { x }) => {
        batches.push(x?.shape[0] ?? 0);
        await gate;
        if (x?.data.some((value) => value === 13)) throw new AppError("invalid_request", "unlucky");
        return {
          x: {
            datatype: "FP32",
            shape: x?.shape ?? [],
            data: Float32Array.from([...(x?.data ?? [])], (v) => Number(v) * 2),
          },
        };
      },
      giveBack: () => {},
    }),
    onBatch: () => {},
  });
  const close = () => {
    gate = new Promise((resolve) => {
      openers.push(resolve);
    });
  };
  const open = () => openers.splice(0).forEach((opener) => opener());
  return { batcher, batches, close, open };
}

describe("dynamic batching", () => {
  it("runs a request at once when the model is idle", async () => {
    const { batcher, batches } = doubling({ maxDelayMs: 1_000_000 });
    expect(await batcher.infer(vector(3))).toEqual(vector(6));
    expect(batches).toEqual([1]);
  });

  it("puts requests together that wait for the model, up to the limit, and answers each with its own", async () => {
    const { batcher, batches, close, open } = doubling({ maxDelayMs: 1_000_000, maxRows: 4 });
    close();
    const first = batcher.infer(vector(0));
    await expect.poll(() => batches).toEqual([1]);
    const others = [1, 2, 3].map((value) => batcher.infer(vector(value)));
    expect(batcher.waiting).toBe(3);
    open();
    expect(await first).toEqual(vector(0));
    expect(await Promise.all(others)).toEqual([vector(2), vector(4), vector(6)]);
    expect(batches).toEqual([1, 3]);
  });

  it("starts a full batch without waiting for the one before", async () => {
    const { batcher, batches, close, open } = doubling({ maxDelayMs: 1_000_000, maxRows: 2 });
    close();
    const answers = [1, 2, 3, 4, 5].map((value) => batcher.infer(vector(value)));
    await expect.poll(() => batches).toEqual([2, 2]);
    open();
    expect(await Promise.all(answers)).toEqual([2, 4, 6, 8, 10].map((value) => vector(value)));
    expect(batches).toEqual([2, 2, 1]);
  });

  it("starts a batch when its oldest request has waited long enough", async () => {
    const { batcher, batches, close, open } = doubling({ maxDelayMs: 1, maxRows: 100 });
    close();
    const answers = [batcher.infer(vector(1))];
    await expect.poll(() => batches).toEqual([1]);
    answers.push(batcher.infer(vector(2)), batcher.infer(vector(3)));
    await expect.poll(() => batches).toEqual([1, 2]);
    open();
    expect(await Promise.all(answers)).toEqual([vector(2), vector(4), vector(6)]);
  });

  it("runs a request alone that is larger than the limit", async () => {
    const { batcher, batches } = doubling({ maxRows: 2 });
    const [large, small] = await Promise.all([batcher.infer(vector(1, 2, 3)), batcher.infer(vector(4))]);
    expect(rowsOf(large ?? {})).toBe(3);
    expect(small).toEqual(vector(8));
    expect(batches).toEqual([3, 1]);
  });
});

describe("dynamic batching, when something is wrong", () => {
  it("does not let a request that fails spoil the others of its batch", async () => {
    const { batcher, close, open, batches } = doubling({ maxDelayMs: 1_000_000, maxRows: 10 });
    close();
    const first = batcher.infer(vector(0));
    await expect.poll(() => batches).toEqual([1]);
    const others = Promise.allSettled([1, 13, 2].map((value) => batcher.infer(vector(value))));
    open();
    await first;
    expect(await others).toMatchObject([
      { value: vector(2) },
      { reason: { code: "invalid_request" } },
      { value: vector(4) },
    ]);
  });

  it("refuses at once what does not fit into the queue", async () => {
    const { batcher, batches, close, open } = doubling({ maxDelayMs: 1_000_000, maxQueue: 2 });
    close();
    const first = batcher.infer(vector(0));
    await expect.poll(() => batches).toEqual([1]);
    const waiting = [batcher.infer(vector(1)), batcher.infer(vector(2))];
    await expect(batcher.infer(vector(3))).rejects.toMatchObject({ code: "unavailable" });
    open();
    expect(await Promise.all([first, ...waiting])).toHaveLength(3);
  });

  it("fails everything that waits when no thread is left, and works again when there is one", async () => {
    let fails = true;
    const batcher = new Batcher({
      key: "m",
      maxRows: 4,
      maxDelayMs: 0,
      maxQueue: 10,
      acquire: async () => {
        if (fails) throw new AppError("unavailable", "no thread");
        return { run: async (_key, inputs) => inputs, giveBack: () => {} };
      },
    });
    const answers = await Promise.allSettled([batcher.infer(vector(1)), batcher.infer(vector(2))]);
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    fails = false;
    expect(await batcher.infer(vector(3))).toEqual(vector(3));
  });
});
