import { describe, expect, it } from "vitest";
import { mcNemar } from "./mcnemar.ts";

/** Two classifiers that differ on `first + second` samples of class 0. */
function answers(first: number, second: number, both = 5): [Int32Array, Int32Array, Int32Array] {
  const right = (from: number, to: number) =>
    Int32Array.from({ length: first + second + both }, (_none, at) => (at >= from && at < to ? 0 : 1));
  return [new Int32Array(first + second + both), right(0, first), right(first, first + second)];
}

describe("mcNemar", () => {
  it("counts the samples that only one of the two got right", () => {
    const labels = Int32Array.of(0, 1, 2, 3, 4);
    const [first, second] = [Int32Array.of(0, 1, 2, 0, 4), Int32Array.of(0, 0, 0, 3, 4)];
    expect(mcNemar(labels, first, second)).toMatchObject({ onlyFirst: 2, onlySecond: 1 });
  });

  it("gives the exact two-sided p of a case worked by hand", () => {
    // n = 12, smaller 2: 2 (1 + 12 + 66) / 4096.
    expect(mcNemar(...answers(10, 2)).pValue).toBeCloseTo((2 * 79) / 4096, 12);
  });

  it("agrees with the sum in exact fractions (Python: 2 sum(comb(n, i)) / 2^n), also where 2^n is no float any more", () => {
    expect(mcNemar(...answers(121, 59)).pValue).toBeCloseTo(4.434449263755176e-6, 15);
    expect(mcNemar(...answers(2100, 1900)).pValue).toBeCloseTo(0.0016492663751356998, 12);
  });

  it("finds no difference between equals, however many samples there are", () => {
    expect(mcNemar(...answers(0, 0)).pValue).toBe(1);
    expect(mcNemar(...answers(3, 3)).pValue).toBe(1);
    expect(mcNemar(...answers(2000, 2000)).pValue).toBe(1);
  });

  it("is the same whichever comes first", () => {
    expect(mcNemar(...answers(9, 4)).pValue).toBe(mcNemar(...answers(4, 9)).pValue);
  });
});
