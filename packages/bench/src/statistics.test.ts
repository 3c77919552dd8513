import { expect, it } from "vitest";
import { geometricMean, median, percentile } from "./statistics.ts";

it("takes the middle value, whatever the order", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

it("interpolates percentiles as numpy does by default", () => {
  expect(percentile([1, 2, 3, 4], 95)).toBeCloseTo(3.85, 12);
  expect(percentile([7], 95)).toBe(7);
});

it("refuses to summarise nothing", () => {
  expect(() => median([])).toThrow(RangeError);
});

it("averages ratios so that 2x and 0.5x cancel", () => {
  expect(geometricMean([2, 0.5])).toBeCloseTo(1, 12);
});
