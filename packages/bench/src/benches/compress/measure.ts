import { gzipSync } from "node:zlib";
import { classify, createSession, measureLatency } from "@whittle/onnx/runtime";
import { toFloat, type Dataset } from "@whittle/zoo";
import { told, type Check } from "../../bench.ts";

/** Calls of each model at each batch size, for every round asked for. */
const callsPerRound = 100;

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

interface Pair {
  own: Uint8Array;
  other: Uint8Array;
  inputShape: number[];
  rounds: number;
}

/**
 * How many times as fast as another a model is, by the medians on one thread of calls in turn: of one sample (`-b1`) and of 32 (`-b32`).
 * @param check says what is aimed at.
 */
export async function speedUps(
  name: string,
  { own, other, inputShape, rounds }: Pair,
  check: (name: string, value: number) => Check = told,
): Promise<Check[]> {
  const models = [
    { name: "own", model: own },
    { name: "other", model: other },
  ];
  const taken = await measureLatency(models, { batches: [1, 32], inputShape, rounds: rounds * callsPerRound });
  return (["b1", "b32"] as const).map((batch) => {
    const [ownMs = Number.NaN, otherMs = Number.NaN] = ["own", "other"].map((side) => taken[side]?.[batch].p50);
    return check(`${name}-${batch}`, otherMs / ownMs);
  });
}
