import { affineParams, dequantize, quantize, type IntegerRange } from "./affine.ts";
import type { Histogram } from "./histogram.ts";

/** The reals that a quantized tensor covers. */
export interface RealRange {
  min: number;
  max: number;
}

type Calibrator = (histogram: Histogram, range: IntegerRange) => RealRange;

/** Cuts this share of the values, half of it from each tail. */
const PERCENTILE_CUT = 1e-4;
/** Bins that the entropy calibrator stands a quantized tensor for. */
const ENTROPY_BINS = 128;
const MSE_STEPS = 100;

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function countFilled(values: Float64Array): number {
  let filled = 0;
  for (const value of values) if (value !== 0) filled += 1;
  return filled;
}

function within({ min, max }: RealRange, histogram: Histogram): RealRange {
  return { min: Math.max(min, histogram.min), max: Math.min(max, histogram.max) };
}

/** Covers every value that was seen. */
const minmax: Calibrator = ({ min, max }) => ({ min, max });

/** Covers 99.99% of the values, and leaves half of the rest out at each end. */
const percentile: Calibrator = (histogram) => {
  const { counts } = histogram;
  const total = sum(counts);
  const cut = (total * PERCENTILE_CUT) / 2;
  const outside = (bins: Iterable<number>) => {
    let seen = 0;
    for (const bin of bins) {
      seen += counts[bin] ?? 0;
      if (seen > cut) return bin;
    }
    return 0;
  };
  const lowest = outside(counts.keys());
  const highest = outside([...counts.keys()].toReversed());
  return within({ min: histogram.edge(lowest), max: histogram.edge(highest + 1) }, histogram);
};

function squaredError({ counts, limit, width }: Histogram, { min, max }: RealRange, range: IntegerRange): number {
  const params = affineParams(min, max, range);
  let error = 0;
  for (const [bin, count] of counts.entries()) {
    const centre = -limit + (bin + 0.5) * width;
    if (count > 0) error += count * (centre - dequantize(quantize(centre, params), params)) ** 2;
  }
  return error;
}

/** Of the observed range shrunk in 100 steps, the one with the least squared error of the quantized histogram. */
const mse: Calibrator = (histogram, range) => {
  const candidates = Array.from({ length: MSE_STEPS }, (_none, step) => {
    const share = 1 - step / MSE_STEPS;
    const candidate = { min: histogram.min * share, max: histogram.max * share };
    return { candidate, error: squaredError(histogram, candidate, range) };
  });
  return candidates.reduce((best, each) => (each.error < best.error ? each : best)).candidate;
};

/** Gives each empty bin a ten-thousandth of a count, taken from the others, so that the divergence stays finite; then adds up to 1. */
function smooth(counts: Float64Array): Float64Array {
  const epsilon = 1e-4;
  const filled = countFilled(counts);
  const taken = (epsilon * (counts.length - filled)) / filled;
  const total = sum(counts);
  const smoothed = new Float64Array(counts.length);
  for (const [at, count] of counts.entries()) smoothed[at] = (count === 0 ? epsilon : count - taken) / total;
  return smoothed;
}

/** KL(p || q); infinite where it is not defined. */
function divergence(p: Float64Array, q: Float64Array): number {
  const smoothQ = smooth(q);
  let result = 0;
  for (const [at, share] of smooth(p).entries()) result += share * Math.log(share / (smoothQ[at] ?? 0));
  return Number.isNaN(result) ? Infinity : result;
}

/** A slice merged to {@link ENTROPY_BINS} bins and spread again over those of its bins where `p` has anything. */
function requantize(slice: Float64Array, p: Float64Array): Float64Array {
  const merged = Math.floor(slice.length / ENTROPY_BINS);
  const spread = new Float64Array(slice.length);
  for (let bin = 0; bin < ENTROPY_BINS; bin++) {
    const start = bin * merged;
    const end = bin === ENTROPY_BINS - 1 ? slice.length : start + merged;
    const used = countFilled(p.subarray(start, end));
    const share = sum(slice.subarray(start, end)) / used;
    for (let at = start; at < end; at++) if (p[at] !== 0) spread[at] = share;
  }
  return spread;
}

/**
 * Of all ranges [-t, t] the one whose quantized distribution diverges least from the observed one (Migacz, "8-bit inference with
 * TensorRT", 2017): p is the histogram inside with what is outside added to its ends, q the same merged to 128 bins and spread again.
 */
const entropy: Calibrator = (histogram) => {
  const { counts } = histogram;
  const centre = counts.length / 2;
  let best = { half: centre, divergence: Infinity };
  for (let half = ENTROPY_BINS / 2; half <= centre; half++) {
    const [start, end] = [centre - half, centre + half];
    const slice = counts.subarray(start, end);
    const p = Float64Array.from(slice);
    p[0] = (p[0] ?? 0) + sum(counts.subarray(0, start));
    p[p.length - 1] = (p.at(-1) ?? 0) + sum(counts.subarray(end));
    const found = divergence(p, requantize(slice, p));
    if (found < best.divergence) best = { half, divergence: found };
  }
  return within({ min: histogram.edge(centre - best.half), max: histogram.edge(centre + best.half) }, histogram);
};

/** How the range of an activation is chosen from the values seen while calibrating. */
export const calibrators = { minmax, percentile, mse, entropy } satisfies Record<string, Calibrator>;

export type CalibrationMethod = keyof typeof calibrators;
