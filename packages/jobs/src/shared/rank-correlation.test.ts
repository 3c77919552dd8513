import { describe, expect, it } from "vitest";
import { permutation } from "@whittle/engine";
import { rankCorrelation } from "./rank-correlation.ts";

describe("the rank correlation", () => {
  it("is that worked out by hand, equal values sharing their ranks", () => {
    // Ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4, about 2.5: products 0.75 + 0 + 0 + 2.25, squares 4.5 and 5.
    expect(rankCorrelation([0.1, 0.5, 0.5, 9], [-3, -7, 0, 2])).toBeCloseTo(3 / Math.sqrt(4.5 * 5), 12);
    expect(rankCorrelation([1, 2, 3], [10, 200, 3000])).toBeCloseTo(1, 12);
    expect(rankCorrelation([1, 2, 3], [-1, -2, -3])).toBeCloseTo(-1, 12);
  });

  it.each([1, 2, 3])("is 1 - 6 sum d^2 / (n^3 - n) where no two are equal: order %i", (seed) => {
    const [a, b] = [[...permutation(50, seed)], [...permutation(50, seed + 10)]];
    const distances = a.reduce((sum, rank, at) => sum + (rank - (b[at] ?? 0)) ** 2, 0);
    expect(rankCorrelation(a, b)).toBeCloseTo(1 - (6 * distances) / (50 ** 3 - 50), 12);
  });

  it("is undefined where there are no ranks", () => {
    expect(rankCorrelation([1, 1], [1, 2])).toBeUndefined();
    expect(rankCorrelation([], [])).toBeUndefined();
  });
});
