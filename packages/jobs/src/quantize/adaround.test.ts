import { initEngine, tf } from "@whittle/engine";
import type { RoundingProblem } from "@whittle/onnx";
import { beforeAll, describe, expect, it } from "vitest";
import { adaRound } from "./adaround.ts";
import oracle from "./fixtures/torch_adaround.json" with { type: "json" };

const { signal } = new AbortController();

const problem = (changes: Partial<RoundingProblem> = {}): RoundingProblem => ({
  ...oracle,
  name: "dense",
  weights: Float32Array.from(oracle.weights),
  scales: Float32Array.from(oracle.scales),
  zeroPoints: new Int8Array(oracle.rows),
  groups: 1,
  gram: Float32Array.from(oracle.gram),
  ...changes,
});

/** (w - q) G (w - q)ᵀ of one row of weights in units of their scale. */
function errorOf(row: readonly number[], integers: readonly number[], gram: Float32Array): number {
  const lost = row.map((value, at) => value - (integers[at] ?? 0));
  return lost.reduce(
    (sum, a, i) => sum + lost.reduce((inner, b, j) => inner + a * b * (gram[i * row.length + j] ?? 0), 0),
    0,
  );
}

beforeAll(() => initEngine());

describe("AdaRound", () => {
  it("chooses the integers that PyTorch's autograd and Adam choose", async () => {
    const before = tf.memory().numTensors;
    const integers = await adaRound(problem(), signal);
    const different = [...integers].filter((value, at) => value !== oracle.integers[at]);
    expect(different).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("rounds as worked by hand where inputs go together", async () => {
    // Both inputs are always equal, so only q1 + q2 counts: 0.45 + 0.35 = 0.8 is nearer to 1 than to 0.
    const gram = Float32Array.of(1, 1, 1, 1);
    const two = { rows: 1, columns: 2, weights: Float32Array.of(0.45, 0.35), scales: Float32Array.of(1), gram };
    const integers = await adaRound(problem({ ...two, zeroPoints: new Int8Array(1) }), signal);
    expect([...integers]).toEqual([1, 0]);
  });

  it("comes close to the best of all choices, and is never worse than rounding to the nearest", async () => {
    const columns = 8;
    const row = [0.45, -0.3, 1.6, 0.55, -1.4, 0.35, -0.6, 0.25];
    const samples = Array.from({ length: 50 }, (_none, s) => row.map((_w, k) => 1 + Math.sin(s * (1 + (k % 3)) + k)));
    const gram = Float32Array.from({ length: columns ** 2 }, (_none, at) =>
      samples.reduce((sum, x) => sum + (x[Math.floor(at / columns)] ?? 0) * (x[at % columns] ?? 0), 0),
    );
    const choices = Array.from({ length: 2 ** columns }, (_none, mask) =>
      row.map((value, k) => Math.floor(value) + ((mask >> k) & 1)),
    );
    const best = Math.min(...choices.map((each) => errorOf(row, each, gram)));
    const nearest = errorOf(row, row.map(Math.round), gram);
    const one = { rows: 1, columns, weights: Float32Array.from(row), scales: Float32Array.of(1), gram };
    const found = errorOf(row, [...(await adaRound(problem({ ...one, zeroPoints: new Int8Array(1) }), signal))], gram);
    expect(best).toBeLessThan(nearest / 3);
    expect(found).toBeLessThan(best + (nearest - best) / 3);
  });

  it("leaves zeros at the zero point, and groups of rows to their own inputs", async () => {
    const gram = Float32Array.of(1, 1, 1, 1, 1, -1, -1, 1);
    const weights = Float32Array.of(0, 0.4, 0.4, 0.4);
    const two = { rows: 2, columns: 2, groups: 2, weights, scales: Float32Array.of(1, 1), gram };
    const integers = await adaRound(problem({ ...two, zeroPoints: Int8Array.of(1, 0) }), signal);
    // The first row has its zero; in the second the inputs cancel out, so both weights go the same way.
    expect(integers[0]).toBe(1);
    expect(integers[2]).toBe(integers[3]);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(adaRound(problem(), controller.signal)).rejects.toMatchObject({ code: "cancelled" });
  });
});
