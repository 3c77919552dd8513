import { describe, expect, it } from "vitest";
import { holdOut, pick } from "./data.ts";

const split = {
  x: Uint8Array.from({ length: 40 }, (_, i) => i),
  y: Int32Array.from({ length: 20 }, (_, i) => i),
  count: 20,
};

const first = (count: number) => ({ x: split.x.subarray(0, 2 * count), y: split.y.subarray(0, count), count });

/** The samples held back of the first `limit` of 20; each has its number as its label. */
const heldBack = (limit: number, share: number) => [...(holdOut(first(limit), share, 20).validation?.y ?? [])];

describe("holdOut", () => {
  it("gives every sample to exactly one side, with its own label", () => {
    const { train, validation } = holdOut(split, 0.25, 20);
    expect([train.count, validation?.count]).toEqual([15, 5]);
    const labels = [...train.y, ...(validation?.y ?? [])].toSorted((a, b) => a - b);
    expect(labels).toEqual([...split.y]);
    for (const side of [train, validation]) {
      expect(Array.from(side?.x ?? [])).toEqual(
        Array.from(side?.y ?? [], (label) => [2 * label, 2 * label + 1]).flat(),
      );
    }
  });

  it("gives no validation side for a share of nothing", () => {
    expect(holdOut(split, 0, 20)).toEqual({ train: split });
  });

  it("gives no validation side when a limit leaves none of the samples that would be held back", () => {
    const held = Math.min(...heldBack(20, 0.25));
    expect(holdOut(first(held), 0.25, 20)).toEqual({ train: first(held) });
  });

  it("refuses a limit that leaves nothing to train on, by name", () => {
    // Of 21 samples, the two that a share of 0.9 leaves to train on begin with number 12.
    expect(holdOut(first(13), 0.9, 21).train.y).toEqual(Int32Array.of(12));
    expect(() => holdOut(first(12), 0.9, 21)).toThrow(/limit/);
  });

  it("holds back the same samples whatever the limit", () => {
    const whole = heldBack(20, 0.5);
    for (const limit of [5, 12, 19]) expect(heldBack(limit, 0.5)).toEqual(whole.filter((sample) => sample < limit));
  });

  it("holds back with a larger share what it does with a smaller one, and more", () => {
    const shares = [0.1, 0.25, 0.5, 0.8].map((share) => heldBack(20, share));
    expect(shares.map(({ length }) => length)).toEqual([2, 5, 10, 16]);
    for (const [at, smaller] of shares.slice(0, -1).entries()) {
      expect(shares[at + 1]).toEqual(expect.arrayContaining(smaller));
    }
  });
});

describe("pick", () => {
  it("keeps the order asked for and the type of the values", () => {
    const picked = pick({ x: Float32Array.of(1, 2, 3, 4), y: Int32Array.of(0, 1), count: 2 }, Int32Array.of(1, 0, 1));
    expect(picked).toEqual({ x: Float32Array.of(3, 4, 1, 2, 3, 4), y: Int32Array.of(1, 0, 1), count: 3 });
  });
});
