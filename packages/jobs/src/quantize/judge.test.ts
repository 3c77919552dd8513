import { describe, expect, it } from "vitest";
import { meanDivergence } from "./judge.ts";

describe("the divergence of two models' outputs", () => {
  it("is that worked by hand", () => {
    // softmax([ln 3, 0]) = [3/4, 1/4], softmax([0, 0]) = [1/2, 1/2]: KL = 3/4 ln(3/2) + 1/4 ln(1/2).
    const expected = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5);
    expect(meanDivergence(Float32Array.of(Math.log(3), 0), Float32Array.of(5, 5), 2)).toBeCloseTo(expected, 6);
    const two = Float32Array.of(Math.log(3), 0, 1, 2);
    expect(meanDivergence(two, Float32Array.of(5, 5, 1, 2), 2)).toBeCloseTo(expected / 2, 6);
  });

  it("is 0 for the same outputs, and for outputs that differ by a constant", () => {
    expect(meanDivergence(Float32Array.of(1, 2, 900), Float32Array.of(1, 2, 900), 3)).toBe(0);
    expect(meanDivergence(Float32Array.of(1, 2), Float32Array.of(11, 12), 2)).toBeCloseTo(0, 6);
  });
});
