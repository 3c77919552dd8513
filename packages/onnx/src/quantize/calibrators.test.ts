import { describe, expect, it } from "vitest";
import oracle from "./fixtures/calibration.json" with { type: "json" };
import { calibrators } from "./calibrators.ts";
import { Extremes, Histogram } from "./histogram.ts";

const uint8 = { qmin: 0, qmax: 255 };

describe("a histogram", () => {
  it("is the same for one stream however it is cut", () => {
    const values = Float32Array.from([-2, -0.9, 0, 0.1, 0.1, 1.9, 2]);
    const whole = new Histogram({ min: -2, max: 2 }, 8);
    whole.add(values);
    const cut = new Histogram({ min: -2, max: 2 }, 8);
    cut.add(values.subarray(0, 3));
    cut.add(values.subarray(3));
    expect([...whole.counts]).toEqual([1, 0, 1, 0, 3, 0, 0, 2]);
    expect(cut.counts).toEqual(whole.counts);
    expect([whole.edge(0), whole.edge(4), whole.edge(8)]).toEqual([-2, 0, 2]);
  });

  it("takes its extremes from the stream and not from zero", () => {
    const extremes = new Extremes();
    extremes.add(Float32Array.of(3, 5));
    extremes.add(Float32Array.of(4));
    expect(extremes).toMatchObject({ min: 3, max: 5 });
  });

  it("has no extremes once a value is not a number, wherever in the stream it was", () => {
    for (const values of [
      [Number.NaN, 1, 2],
      [1, Number.NaN, 2],
      [1, 2, Number.NaN],
    ]) {
      const extremes = new Extremes();
      extremes.add(Float32Array.from(values));
      expect(extremes).toMatchObject({ min: Number.NaN, max: Number.NaN });
    }
  });
});

describe.each(oracle)("the range chosen for $name values", (expected) => {
  const histogram = new Histogram(expected, expected.counts.length);
  histogram.counts.set(expected.counts);

  it("is what was seen with minmax", () => {
    expect(calibrators.minmax(histogram, uint8)).toEqual({ min: expected.min, max: expected.max });
  });

  it.each(["mse", "entropy"] as const)("is that of the second implementation with %s", (method) => {
    const { min, max } = calibrators[method](histogram, uint8);
    expect(min).toBeCloseTo(expected[method][0] ?? Number.NaN, 6);
    expect(max).toBeCloseTo(expected[method][1] ?? Number.NaN, 6);
  });

  it("is within a bin of the exact percentiles", () => {
    const { min, max } = calibrators.percentile(histogram, uint8);
    expect(Math.abs(min - (expected.percentile[0] ?? Number.NaN))).toBeLessThan(histogram.width);
    expect(Math.abs(max - (expected.percentile[1] ?? Number.NaN))).toBeLessThan(histogram.width);
  });
});
