import { gzipSync } from "node:zlib";
import { classify, createSession, measureLatency } from "@whittle/onnx/runtime";
import { toFloat, type Dataset } from "@whittle/zoo";
import { told, type Check } from "../../bench.ts";

/** Calls of each model at each batch size, for every round asked for. */
const callsPerRound = 60;

/** The share of the test samples that an ONNX model gets right, in ONNX Runtime. */
export async function accuracyOf(model: Uint8Array, { test, preprocessing, inputShape }: Dataset): Promise<number> {
  const session = await createSession(model);
  try {
    const { predictions } = await classify(session, toFloat(test, preprocessing), inputShape, 256);
    return predictions.filter((prediction, i) => prediction === test.y[i]).length / test.count;
  } finally {
    await session.release();
  }
}

export function gzipBytes(model: Uint8Array): number {
  return gzipSync(model, { level: 9 }).byteLength;
}

/** By how many points the second accuracy is below the first; negative where it is above. */
export function points(before: number, after: number): number {
  return 100 * (before - after);
}

/** Median milliseconds of a call, of one sample and of 32. */
export interface Pace {
  b1: number;
  b32: number;
}

/** Calls the models in turn, on one thread each. */
export async function paces(
  models: Record<string, Uint8Array>,
  inputShape: number[],
  rounds: number,
): Promise<(name: string) => Pace> {
  const named = Object.entries(models).map(([name, model]) => ({ name, model }));
  const taken = await measureLatency(named, { batches: [1, 32], inputShape, rounds: rounds * callsPerRound });
  return (name) => ({ b1: taken[name]?.b1.p50 ?? Number.NaN, b32: taken[name]?.b32.p50 ?? Number.NaN });
}

/** How many times as fast as `other` a model is, at both batch sizes. */
export function speeds(
  name: string,
  own: Pace,
  other: Pace,
  check: (name: string, value: number) => Check = told,
): Check[] {
  return [check(`${name}-b1`, other.b1 / own.b1), check(`${name}-b32`, other.b32 / own.b32)];
}
