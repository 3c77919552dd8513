import type { TensorValue } from "./tensors.ts";
import { onlyTensors } from "./classify.ts";
import { createSession, type Session } from "./session.ts";

/** Milliseconds of one call. */
export interface Latency {
  p50: number;
  p95: number;
}

export interface LatencyOptions<B extends number = number> {
  /** Batch sizes to measure. */
  batches: readonly B[];
  /** Shape of one sample, without the batch. */
  inputShape: readonly number[];
  /** Calls of each model at each batch size that count; 100 unless given. */
  rounds?: number;
  /** Threads of one operator; 1 unless given. */
  threads?: number;
}

const WARM_UP_ROUNDS = 5;

/** The value that `share` of the samples do not exceed, interpolated linearly between the two nearest. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Values in [0, 1) that are the same at every run. */
function sampleInput(batch: number, shape: readonly number[]): TensorValue {
  const size = shape.reduce((product, each) => product * each, batch);
  const data = Float32Array.from({ length: size }, (_none, at) => (at * 0.618_033_988_75) % 1);
  return { shape: [batch, ...shape], datatype: "FP32", data };
}

async function time(session: Session, feeds: Record<string, TensorValue>): Promise<number> {
  const start = performance.now();
  await session.run(feeds);
  return performance.now() - start;
}

/** The models in the order of a round: over as many rounds as there are models each is once at each place. */
export function inTurn<T>(models: readonly T[], round: number): T[] {
  const first = ((round % models.length) + models.length) % models.length;
  return [...models.slice(first), ...models.slice(0, first)];
}

/**
 * Measures models against each other, one batch size after the other: in every round each is called once, so that whatever else the
 * machine does falls on all alike, and the order changes from round to round, because a call is slower after one of another model. The
 * first rounds are not counted.
 * @returns for each model `b1`, `b32`, … with the median and the 95th percentile
 */
export async function measureLatency<B extends number>(
  models: readonly { name: string; model: Uint8Array }[],
  { batches, inputShape, rounds = 100, threads = 1 }: LatencyOptions<B>,
): Promise<Record<string, Record<`b${B}`, Latency>>> {
  const inputs = batches.map((batch) => sampleInput(batch, inputShape));
  const runs = await Promise.all(
    models.map(async ({ name, model }) => ({ name, session: await createSession(model, { threads }) })),
  );
  const samples = runs.map(() => batches.map((): number[] => []));
  try {
    for (const [b, input] of inputs.entries()) {
      for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
        for (const [m, { session }] of inTurn([...runs.entries()], round)) {
          const [{ name }] = onlyTensors(session);
          const milliseconds = await time(session, { [name]: input });
          if (round >= 0) samples[m]?.[b]?.push(milliseconds);
        }
      }
    }
  } finally {
    await Promise.all(runs.map(({ session }) => session.release()));
  }
  return Object.fromEntries(runs.map(({ name }, m) => [name, summary(batches, samples[m] ?? [])]));
}

function summary<B extends number>(batches: readonly B[], samples: readonly number[][]): Record<`b${B}`, Latency> {
  const entries = batches.map((batch, b) => {
    const taken = samples[b] ?? [];
    return [`b${batch}`, { p50: quantile(taken, 0.5), p95: quantile(taken, 0.95) }];
  });
  return Object.fromEntries(entries);
}
