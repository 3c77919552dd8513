import { describe, expect, it } from "vitest";
import { allocateBits, type LayerCurve } from "./allocate-bits.ts";
import { verdictOf } from "./testing.ts";

/** @param divergences by bits */
function curveOf(layer: string, weights: number, divergences: Readonly<Record<number, number>>): LayerCurve {
  const points = Object.entries(divergences).map(([bits, divergence]) => ({
    bits: Number(bits),
    verdict: verdictOf(divergence),
  }));
  return { layer, weights, points: points.toReversed() };
}

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Layers of which each bit less costs about four times as much, as it does the mean squared error, with noise that makes curves bend. */
function randomCurves(count: number, random: () => number, largest: number): LayerCurve[] {
  return Array.from({ length: count }, (_none, at) => {
    const scale = 10 ** (-4 * random());
    const costs = [1, 2, 3, 4, 5, 6, 7, 8].map((bits) => [bits, scale * 4 ** -bits * (0.2 + 2 * random())] as const);
    return curveOf(`layer${at}`, 8 * (1 + Math.floor(random() * (largest / 8))), Object.fromEntries(costs));
  });
}

const sumOf = (curves: readonly LayerCurve[], chosen: Readonly<Record<string, number>>) =>
  curves.reduce(
    ({ bits, divergence }, { layer, weights, points }) => {
      const point = points.find((each) => each.bits === chosen[layer]);
      if (!point) throw new Error(`${layer} has no point of ${chosen[layer]} bits`);
      return { bits: bits + weights * point.bits, divergence: divergence + point.verdict.divergence };
    },
    { bits: 0, divergence: 0 },
  );

const weightsOf = (curves: readonly LayerCurve[]) => curves.reduce((sum, { weights }) => sum + weights, 0);

/** Second implementation: every combination. */
function leastByTryingAll(curves: readonly LayerCurve[], budget: number): number {
  const [first, ...others] = curves;
  if (!first) return budget < -1e-6 ? Infinity : 0;
  const each = first.points.map(
    ({ bits, verdict }) => verdict.divergence + leastByTryingAll(others, budget - first.weights * bits),
  );
  return Math.min(...each);
}

/** Third: the knapsack's table, the least sum for every eight bits up to 8 a weight. */
function leastByTable(curves: readonly LayerCurve[]): Float64Array {
  let table = new Float64Array(weightsOf(curves) + 1);
  for (const { weights, points } of curves) {
    const longer = new Float64Array(table.length).fill(Infinity);
    for (const { bits, verdict } of points) {
      const cost = (weights / 8) * bits;
      for (let place = cost; place < table.length; place++) {
        longer[place] = Math.min(longer[place] ?? Infinity, (table[place - cost] ?? Infinity) + verdict.divergence);
      }
    }
    table = longer;
  }
  return table;
}

describe("sharing out a budget of bits", () => {
  it("finds the least sum, where a greedy descent overshoots", () => {
    // Bits saved: a 40, b 24; 28 must be. Greedy takes b first (5/24 a bit against 10/40), has not enough and takes a as well: 15.
    const curves = [curveOf("a", 10, { 4: 10, 8: 0 }), curveOf("b", 6, { 4: 5, 8: 0 })];
    expect(allocateBits(curves, 100 / 16)).toEqual({ a: 4, b: 8 });
  });

  it("uses the whole budget, but no bit more", () => {
    const curves = [curveOf("a", 3, { 4: 1, 8: 0 }), curveOf("b", 7, { 4: 1, 8: 0 })];
    // 3 * 8 + 7 * 4 = 52; as floating point numbers 10 * 5.2 is so too, but 10 * (0.1 + 5.1) is not in general.
    expect(allocateBits(curves, 5.2)).toEqual({ a: 8, b: 4 });
    expect(allocateBits(curves, 5.19)).toEqual({ a: 4, b: 4 });
    expect(allocateBits(curves, 3.9)).toBeUndefined();
  });

  it("gives no bits for nothing, and is not misled by a curve that rises with the bits", () => {
    const curves = [curveOf("a", 3, { 3: 0.1, 4: 0.2, 8: 0.1 })];
    expect(allocateBits(curves, 8)).toEqual({ a: 3 });
  });

  it.each([1, 2, 3, 4, 5, 6])("finds what trying all combinations finds (%i)", (seed) => {
    const random = randomNumbers(seed);
    const curves = randomCurves(5, random, 400);
    for (const average of [1, 1.7, 2.5, 3, 4.4, 7.9, 8]) {
      const chosen = allocateBits(curves, average) ?? {};
      const budget = average * weightsOf(curves);
      const { bits, divergence } = sumOf(curves, chosen);
      expect(bits).toBeLessThanOrEqual(budget + 1e-6);
      expect(divergence).toBeCloseTo(leastByTryingAll(curves, budget), 12);
    }
  });

  it("stays within a thousandth of the optimum and inside the budget for models of many layers", () => {
    const curves = randomCurves(20, randomNumbers(7), 4000);
    const table = leastByTable(curves);
    for (const average of [1.3, 3, 4.5]) {
      const budget = average * weightsOf(curves);
      const { bits, divergence } = sumOf(curves, allocateBits(curves, average) ?? {});
      expect(bits).toBeLessThanOrEqual(budget + 1e-6);
      const least = table[Math.floor(budget / 8)] ?? Infinity;
      expect(divergence).toBeGreaterThanOrEqual(least * (1 - 1e-9));
      expect(divergence).toBeLessThanOrEqual(1.001 * least);
    }
  });
});
