import { describe, expect, it } from "vitest";
import { noise } from "../test-models.ts";
import { quantizeBias, quantizeWeights, weightRange, type WeightScheme } from "./weights.ts";

const scheme = (changes: Partial<WeightScheme> = {}): WeightScheme => ({
  bits: 8,
  scheme: "symmetric",
  granularity: "channel",
  ...changes,
});
const everyScheme = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((bits) =>
  (["symmetric", "affine"] as const).flatMap((kind) =>
    (["channel", "tensor"] as const).map((granularity) => ({ bits, scheme: kind, granularity })),
  ),
);

describe("quantized weights", () => {
  it("are those worked by hand, a channel a row", () => {
    const kernel = Float32Array.of(127, -1, 0.5, 1.5, 0.5, -0.25);
    const { values, scales } = quantizeWeights(kernel, { channels: 2, axis: "first" }, scheme());
    // Scales 127/127 and 1.5/127; 0.5 is half-way and goes to 0; 0.5 / (1.5/127) = 42.33, -0.25 / (1.5/127) = -21.17.
    expect([...values]).toEqual([127, -1, 0, 127, 42, -21]);
    expect(scales).toEqual(Float32Array.of(1, 1.5 / 127));
  });

  it("take their channels along the last axis for a dense kernel", () => {
    const { scales } = quantizeWeights(Float32Array.of(1, 20, -2, 10), { channels: 2, axis: "last" }, scheme());
    expect(scales).toEqual(Float32Array.of(2 / 127, 20 / 127));
  });

  it.each(everyScheme)("keep zeros exactly zero and to their levels: $bits bits, $scheme, per $granularity", (each) => {
    const kernel = noise(240).map((value, at) => (at % 3 === 0 ? 0 : value + 0.2));
    const { values, zeroPoints } = quantizeWeights(kernel, { channels: 6, axis: "last" }, each);
    const { qmin, qmax } = weightRange(each.bits, each.scheme);
    for (const q of values) {
      expect(q).toBeGreaterThanOrEqual(qmin);
      expect(q).toBeLessThanOrEqual(qmax);
    }
    const zeros = [...values].flatMap((q, at) => (at % 3 === 0 ? [q - (zeroPoints[at % zeroPoints.length] ?? 0)] : []));
    expect(new Set(zeros)).toEqual(new Set([0]));
  });

  it("lose less with every bit", () => {
    const loss = [1, 2, 3, 4, 5, 6, 7, 8].map(
      (bits) => quantizeWeights(noise(500), { channels: 5, axis: "first" }, scheme({ bits })).signalToNoise,
    );
    expect(loss).toEqual(loss.toSorted((a, b) => a - b));
    // Uniform values: each bit halves the step, which is 20 log10(2) = 6.02 dB.
    expect((loss[7] ?? 0) - (loss[3] ?? 0)).toBeGreaterThan(4 * 5);
  });

  it("keep the signs at the mean magnitude with 1 bit", () => {
    const kernel = Float32Array.of(1, -3, 0, 2);
    const { values, scales } = quantizeWeights(kernel, { channels: 1, axis: "first" }, scheme({ bits: 1 }));
    expect([...values]).toEqual([1, -1, 0, 1]);
    expect(scales).toEqual(Float32Array.of(2));
  });

  it.each(everyScheme)(
    "of zeros alone are zeros with a usable scale: $bits bits, $scheme, per $granularity",
    (each) => {
      const { values, scales, zeroPoints } = quantizeWeights(new Float32Array(6), { channels: 3, axis: "last" }, each);
      expect([...values].map((q, at) => q - (zeroPoints[at % zeroPoints.length] ?? 0))).toEqual([0, 0, 0, 0, 0, 0]);
      expect(new Set(scales)).toEqual(new Set([1]));
    },
  );

  it("leave outliers out where few bits would be spent on them", () => {
    const kernel = noise(400).map((value, at) => (at === 0 ? 1.5 : value));
    const { scales } = quantizeWeights(kernel, { channels: 1, axis: "first" }, scheme({ bits: 3 }));
    expect(scales[0]).toBeLessThan(0.3);
  });
});

describe("a quantized bias", () => {
  it("is in units of input scale times weight scale", () => {
    const { values, scales } = quantizeBias(Float32Array.of(1, -0.3), 0.5, Float32Array.of(0.25, 0.5));
    expect([...values]).toEqual([8, -1]);
    expect(scales).toEqual(Float32Array.of(0.125, 0.25));
  });

  it("fits into int32 when its channel's weights are next to nothing", () => {
    const kernel = Float32Array.of(1e-20, 1);
    const minScale = 3 / (0.01 * (2 ** 31 - 1));
    const weights = quantizeWeights(kernel, { channels: 2, axis: "first" }, scheme(), { minScales: [minScale, 0] });
    const { values, scales } = quantizeBias(Float32Array.of(3, 0), 0.01, weights.scales);
    expect((values[0] ?? 0) * (scales[0] ?? 0)).toBeCloseTo(3, 5);
  });
});
