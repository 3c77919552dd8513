import { expect, it } from "vitest";
import { createDeck, createRandom } from "./random.ts";

const draws = (seed: number) => {
  const random = createRandom(seed);
  return Array.from({ length: 5 }, () => random.next());
};

it("draws the same numbers from the same seed, and others from another", () => {
  expect(draws(3)).toEqual(draws(3));
  expect(draws(3)).not.toEqual(draws(4));
  for (const value of draws(3)) expect(value).toSatisfy((each: number) => each >= 0 && each < 1);
});

it("draws each card once before any comes again", () => {
  const draw = createDeck(["a", "b", "c"], createRandom(1));
  for (let round = 0; round < 3; round++) expect(new Set([draw(), draw(), draw()])).toEqual(new Set(["a", "b", "c"]));
});
