import { describe, expect, it } from "vitest";
import { crossEntropy } from "./evaluation.ts";

describe("crossEntropy", () => {
  it("is the mean of -log of the labels' probabilities", () => {
    // Rows soften to (1/4, 3/4) and (1/2, 1/2).
    const logits = Float32Array.of(0, Math.log(3), 5, 5);
    expect(crossEntropy(logits, Int32Array.of(0, 1))).toBeCloseTo((Math.log(4) + Math.log(2)) / 2, 6);
  });

  it("stays finite for large logits", () => {
    expect(crossEntropy(Float32Array.of(1000, 0), Int32Array.of(1))).toBe(1000);
  });
});
