import { describe, expect, it } from "vitest";
import { leastShare } from "./cost.ts";
import type { ScoredGroup } from "./scores.ts";
import { multipleFor, selectChannels } from "./select.ts";

const group = (key: string, first: number, scores: number[]): ScoredGroup => ({
  key,
  layers: [key],
  axes: [],
  channels: scores.map((_, at) => first + at),
  scores: Float64Array.from(scores),
});
const select = (groups: ScoredGroup[], share: number, given: object = {}) => [
  ...selectChannels(groups, share, { scope: "local", roundTo: 1, widths: new Map(), ...given }),
];

describe("selectChannels", () => {
  const [a, b] = [group("a", 1, [4, 1, 3, 2]), group("b", 10, [9, 8, 7, 6])];

  it("takes the least of each group when local", () => {
    expect(select([a, b], 0.5)).toEqual([2, 4, 13, 12]);
  });

  it("compares the channels of all groups when global, and leaves each one", () => {
    expect(select([a, b], 0.25, { scope: "global" })).toEqual([2, 4]);
    expect(select([a, b], 0.5, { scope: "global" })).toEqual([2, 4, 3]);
  });

  it("takes the first ones where scores are equal", () => {
    expect(select([group("a", 1, [1, 1, 1, 1])], 0.5)).toEqual([1, 2]);
  });

  it("keeps the nearest multiple, and one at least", () => {
    const wide = group(
      "a",
      0,
      Array.from({ length: 40 }, (_, at) => at),
    );
    const kept = (share: number) => 40 - select([wide], share, { roundTo: 8 }).length;
    expect([0, 0.05, 0.15, 0.5, 0.65, 0.99].map(kept)).toEqual([40, 40, 32, 24, 16, 8]);
  });

  it("counts the share from the whole model when some channels are gone already", () => {
    const widths = new Map([["a", 8]]);
    expect(select([a], 0.5, { widths })).toEqual([]);
    expect(select([a], 0.75, { widths })).toEqual([2, 4]);
  });
});

describe("multipleFor", () => {
  it("halves the multiple until a layer has two of it", () => {
    expect([64, 16, 15, 8, 6, 3, 1].map((width) => multipleFor(width, 8))).toEqual([8, 8, 4, 4, 2, 1, 1]);
  });
});

describe("leastShare", () => {
  it("finds the least share that is cheap enough, or the least cost", async () => {
    const cost = (share: number) => Promise.resolve(100 - 10 * Math.floor(8 * share));
    const found = await leastShare(cost, 70);
    expect(found).toEqual({ share: expect.closeTo(3 / 8, 3) });
    expect(await leastShare(cost, 10)).toEqual({ least: 20 });
  });
});
