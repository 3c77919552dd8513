import { describe, expect, it } from "vitest";
import { mixSeed, permutation, splitIndices, splitmix32 } from "./random.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("permutation", () => {
  it("holds each number once, in an order that the seed fixes", () => {
    const order = permutation(1000, 5);
    expect(order.toSorted()).toEqual(Int32Array.from(upTo(1000)));
    expect(permutation(1000, 5)).toEqual(order);
    expect(permutation(1000, 6)).not.toEqual(order);
  });

  it("puts every number in every place equally often", () => {
    const counts = upTo(16).map(() => 0);
    for (const seed of upTo(8000)) {
      const at = permutation(4, mixSeed(3, seed)).entries();
      for (const [place, value] of at) counts[place * 4 + value] = (counts[place * 4 + value] ?? 0) + 1;
    }
    // 2000 expected, standard deviation 39.
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(5 * 39);
  });
});

describe("splitIndices", () => {
  it("parts all samples without overlap", () => {
    const { train, validation } = splitIndices(1001, 0.1, 1);
    expect(validation).toHaveLength(100);
    expect([...train, ...validation].toSorted((a, b) => a - b)).toEqual(upTo(1001));
  });

  it("keeps all for training when the share is 0", () => {
    expect(splitIndices(5, 0, 1)).toEqual({ train: Int32Array.from(upTo(5)), validation: new Int32Array() });
  });
});

describe("splitmix32", () => {
  it("gives bits that are set half of the time", () => {
    const random = splitmix32(9);
    const ones = upTo(32).map(() => 0);
    for (let draw = 0; draw < 10_000; draw++) {
      const value = random();
      for (const bit of ones.keys()) ones[bit] = (ones[bit] ?? 0) + ((value >>> bit) & 1);
    }
    // 5000 expected, standard deviation 50.
    for (const count of ones) expect(Math.abs(count - 5000)).toBeLessThan(5 * 50);
  });

  it("mixes seeds so that order and neighbours matter", () => {
    expect(new Set([mixSeed(1, 2), mixSeed(2, 1), mixSeed(1, 3), mixSeed(1), mixSeed(0, 1)]).size).toBe(5);
  });
});
