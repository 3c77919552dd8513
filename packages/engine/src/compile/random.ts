import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import type { Distribution, Draw } from "./program.ts";

/** The tfjs functions whose random numbers can be recognised, by the name of their scope. */
export const drawScopes: ReadonlyMap<string, Distribution> = new Map([
  ["randomUniform__op", "uniform"],
  ["randomNormal__op", "normal"],
  ["truncatedNormal__op", "truncated"],
]);

/** Mulberry32: a small generator with 32 bits of state, for the draws of a seeded function that runs in JavaScript. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Spreads (seed, index) over 32 bits, so that neighbouring seeds give unrelated streams. */
export function mixSeed(seed: number, index: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  return mixed ^ (mixed >>> 15);
}

/**
 * Finds the scale and offset of a draw, by generating the standard distribution from the same seed: tfjs computes
 * `scale * z + offset` in JavaScript and never says what it used.
 * @throws AppError `unsupported` when the values don't fit.
 */
export function fitDraw(draw: Draw): void {
  const standard = standardValues(draw);
  const values = Array.from(draw.values, Number);
  const { scale, offset } = line(standard, values);
  const fits = (a: number, b: number) =>
    standard.every((z, at) => Math.abs(a * z + b - (values[at] ?? NaN)) <= 1e-5 * (Math.abs(a) + Math.abs(b)));
  const [roundScale, roundOffset] = [Number(scale.toPrecision(6)), Number(offset.toPrecision(6))];
  const round = fits(roundScale, roundOffset);
  if (!round && !fits(scale, offset)) {
    const name = draw.scope.replace(/__op$/, "");
    throw new AppError(
      "unsupported",
      `compile: the numbers that ${name} drew can't be made in the graph (only float32 uniform, normal and truncated normal can); ` +
        "pass them as an argument",
    );
  }
  draw.scale = round ? roundScale : scale;
  draw.offset = round ? roundOffset : offset;
}

function standardValues({ distribution, seed, outputs }: Draw): number[] {
  const make = { uniform: tf.randomUniform, normal: tf.randomNormal, truncated: tf.truncatedNormal }[distribution];
  return tf.tidy(() => Array.from(make(outputs[0].shape, 0, 1, "float32", seed).dataSync()));
}

/** The line through the points with the smallest and the largest z; a single value is taken as standard. */
function line(standard: number[], values: number[]): { scale: number; offset: number } {
  const low = standard.indexOf(standard.reduce((a, b) => Math.min(a, b)));
  const high = standard.indexOf(standard.reduce((a, b) => Math.max(a, b)));
  const [z0 = 0, z1 = 0, v0 = 0, v1 = 0] = [standard[low], standard[high], values[low], values[high]];
  if (z0 === z1) return { scale: 1, offset: 0 };
  const scale = (v1 - v0) / (z1 - z0);
  return { scale, offset: v0 - scale * z0 };
}
