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
 * How many times as fast as another a model is, by the medians on one thread, of one sample (`-b1`) and of 32 (`-b32`). The two are called strictly
 * in turn, a batch size at a time: what ran just before decides what is in the processor's caches, and so it is the same for both.
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
  const checks: Check[] = [];
  for (const batch of [1, 32] as const) {
    const taken = await measureLatency(models, { batches: [batch], inputShape, rounds: rounds * callsPerRound });
    const medians = ["own", "other"].map((side) => taken[side]?.[`b${batch}`].p50 ?? Number.NaN);
    const [ownMs = Number.NaN, otherMs = Number.NaN] = medians;
    checks.push(check(`${name}-b${batch}`, otherMs / ownMs));
  }
  return checks;
}
