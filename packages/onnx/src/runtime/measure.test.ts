import { describe, expect, it } from "vitest";
import { smallCnn } from "../test-models.ts";
import { needsReducedRange } from "./cpu.ts";
import { inTurn, measureLatency, quantile } from "./latency.ts";
import { proportion } from "./proportion.ts";

describe("a proportion", () => {
  it("has an interval up to z²/(n + z²) when nothing is correct, and its mirror image when everything is", () => {
    const end = 1.959964 ** 2 / (10 + 1.959964 ** 2);
    expect(proportion(0, 10).interval[0]).toBe(0);
    expect(proportion(0, 10).interval[1]).toBeCloseTo(end, 6);
    expect(proportion(10, 10).interval[0]).toBeCloseTo(1 - end, 6);
    expect(proportion(10, 10).interval[1]).toBeCloseTo(1, 12);
  });

  it.each([
    [5, 10],
    [9070, 10_000],
    [1, 3],
  ])("%d of %d is 1.96 standard errors of each end away from it", (correct, n) => {
    const { value, interval } = proportion(correct, n);
    const distances = interval.map((end) => Math.abs(value - end) / Math.sqrt((end * (1 - end)) / n));
    expect(value).toBe(correct / n);
    expect(distances[0]).toBeCloseTo(1.959964, 5);
    expect(distances[1]).toBeCloseTo(1.959964, 5);
  });
});

describe("latency", () => {
  it("is given for every model and batch size", async () => {
    const models = ["a", "b"].map((name) => ({ name, model: smallCnn() }));
    const found = await measureLatency(models, { batches: [1, 32], inputShape: [8, 8, 2], rounds: 4 });
    expect(Object.keys(found)).toEqual(["a", "b"]);
    for (const { b1, b32 } of Object.values(found)) {
      expect(b1.p50).toBeGreaterThan(0);
      expect(b32.p95).toBeGreaterThanOrEqual(b32.p50);
    }
  });

  it("is measured with each model as often first as last", () => {
    const rounds = [-2, -1, 0, 1, 2, 3].map((round) => inTurn(["a", "b", "c"], round).join(""));
    expect(rounds).toEqual(["bca", "cab", "abc", "bca", "cab", "abc"]);
  });

  it("has its quantiles interpolated", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([0, 10, 20], 0.95)).toBeCloseTo(19, 10);
    expect(quantile([7], 0.95)).toBe(7);
  });
});

describe("the processor", () => {
  it("needs weights of 7 bits only where it is x86 without VNNI", () => {
    expect(needsReducedRange(["avx2"], "x64")).toBe(true);
    expect(needsReducedRange(["avx2", "avx_vnni"], "x64")).toBe(false);
    expect(needsReducedRange(["asimd"], "arm64")).toBe(false);
  });
});
