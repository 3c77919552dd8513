import { describe, expect, it } from "vitest";
import { holdOut, pick } from "./data.ts";

const split = {
  x: Uint8Array.from({ length: 40 }, (_, i) => i),
  y: Int32Array.from({ length: 20 }, (_, i) => i),
  count: 20,
};

describe("holdOut", () => {
  it("gives every sample to exactly one side, with its own label", () => {
    const { train, validation } = holdOut(split, 0.25);
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
    expect(holdOut(split, 0)).toEqual({ train: split });
  });
});

describe("pick", () => {
  it("keeps the order asked for and the type of the values", () => {
    const picked = pick({ x: Float32Array.of(1, 2, 3, 4), y: Int32Array.of(0, 1), count: 2 }, Int32Array.of(1, 0, 1));
    expect(picked).toEqual({ x: Float32Array.of(3, 4, 1, 2, 3, 4), y: Int32Array.of(1, 0, 1), count: 3 });
  });
});
