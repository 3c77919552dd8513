import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { planShapley, type Coalition, type ShapleyValues } from "./shapley.ts";
import { bruteForce } from "./testing.ts";

const { games } = bruteForce(await readFile(new URL("./fixtures/brute-force.json", import.meta.url), "utf8"));

type Worth = (coalition: Coalition) => number;

/** Plays a game given by what each coalition is worth. */
function play(players: number, worth: Worth, evaluations: number, seed = 0): ShapleyValues {
  const { coalitions, solve } = planShapley(players, { evaluations, seed });
  expect(coalitions.length).toBeLessThanOrEqual(evaluations);
  return solve(coalitions.map(worth));
}

const bitsOf = (coalition: Coalition) => coalition.reduce((bits, there, player) => bits + there * 2 ** player, 0);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Everybody pays in, neighbours gain from each other, and each third one spoils something: no player is like another. */
const entangled: Worth = (coalition) => {
  const there = [...coalition.keys()].filter((player) => coalition[player] === 1);
  const together = there.filter((player) => there.includes(player + 1)).length;
  return Math.tanh(sum(there) / 20) + together ** 1.5 / 5 - (there.includes(3) && there.includes(7) ? 1 : 0);
};

describe("Shapley values", () => {
  it("are those worked out by hand", () => {
    // Two have a left glove, the third the right one. Of the six orders the first completes a pair in one (third, first, second).
    const gloves: Worth = ([left = 0, otherLeft = 0, right = 0]) => Math.max(left, otherLeft) * right;
    const { values, standardErrors } = play(3, gloves, 8);
    [1 / 6, 1 / 6, 4 / 6].forEach((value, player) => expect(values[player]).toBeCloseTo(value, 14));
    expect(standardErrors).toBeUndefined();
  });

  it.each(games.map((game, at) => ({ at, ...game })))(
    "are those of all 5040 orders: game $at",
    ({ worths, values }) => {
      const found = play(7, (coalition) => worths[bitsOf(coalition)] ?? 0, 128).values;
      values.forEach((value, player) => expect(found[player]).toBeCloseTo(value, 9));
    },
  );

  it.each([1, 0])("are what there is when there is %i player", (players) => {
    expect(play(players, (coalition) => 2 + 3 * sum([...coalition]), 2).values).toEqual(players === 1 ? [3] : []);
  });
});

describe("estimates from random orders", () => {
  const players = 12;
  const exact = play(players, entangled, 4096).values;

  it.each([46, 68, 500, 4000])("add up to all less nothing, with %i evaluations", (evaluations) => {
    const { values, permutations } = play(players, entangled, evaluations);
    expect(permutations).toBe(2 * Math.floor((evaluations - 2) / 22));
    const gain = entangled(new Uint8Array(players).fill(1)) - entangled(new Uint8Array(players));
    expect(sum(values)).toBeCloseTo(gain, 12);
  });

  it("are the same for a seed, and others for another", () => {
    expect(play(players, entangled, 500, 1)).toEqual(play(players, entangled, 500, 1));
    expect(play(players, entangled, 500, 1)).not.toEqual(play(players, entangled, 500, 2));
  });

  it("are right on average over seeds, and as far off as their standard errors say", () => {
    const runs = Array.from({ length: 300 }, (_, seed) => play(players, entangled, 500, seed));
    for (const [player, value] of exact.entries()) {
      const errors = runs.map(({ values }) => (values[player] ?? 0) - value);
      const spread = Math.sqrt(sum(errors.map((error) => error ** 2)) / errors.length);
      const said = Math.sqrt(sum(runs.map((run) => (run.standardErrors?.[player] ?? 0) ** 2)) / runs.length);
      expect(Math.abs(sum(errors) / errors.length)).toBeLessThan((4 * spread) / Math.sqrt(errors.length));
      // 300 runs tell a spread to 4%, of 22 pairs each.
      expect(said / spread).toBeGreaterThan(0.8);
      expect(said / spread).toBeLessThan(1.25);
    }
  });

  it("pair each order with its reverse: what only couples do is exact at once", () => {
    const couples: Worth = (coalition) =>
      coalition.reduce((all, there, at) => all + there * (coalition[at + 1] ?? 0), 0);
    const { values, standardErrors } = play(players, couples, 46);
    values.forEach((value, at) => expect(value).toBeCloseTo(at === 0 || at === players - 1 ? 0.5 : 1, 12));
    standardErrors?.forEach((error) => expect(error).toBeLessThan(1e-12));
  });

  it("need two pairs, or all the coalitions where they are fewer", () => {
    expect(() => play(3, entangled, 7)).toThrow("evaluations must be at least 8 for 3 parts, not 7");
    expect(() => play(4, entangled, 13)).toThrow("evaluations must be at least 14 for 4 parts, not 13");
    expect(() => play(12, entangled, 45)).toThrow("evaluations must be at least 46 for 12 parts, not 45");
  });
});
