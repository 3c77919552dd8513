import { AppError } from "@whittle/contracts";
import { splitmix32 } from "../train/random.ts";
import { tf } from "../tf.ts";
import type { Distribution, Draw } from "./program.ts";

/** The tfjs functions whose random numbers can be recognised, by the name of their scope. */
export const drawScopes: ReadonlyMap<string, Distribution> = new Map([
  ["randomUniform__op", "uniform"],
  ["randomNormal__op", "normal"],
  ["truncatedNormal__op", "truncated"],
]);

/** Stands in for Math.random(), for the draws of a seeded function that still runs in JavaScript. Never gives 0. */
export function seededRandom(seed: number): () => number {
  const random = splitmix32(seed);
  return () => (random() + 0.5) / 2 ** 32;
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
