import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { startRedis } from "@whittle/queue/server";
import { told, type Bench, type Check } from "../../bench.ts";
import { median, percentile } from "../../statistics.ts";
import { bareBullmq } from "./bare.ts";
import type { Side } from "./side.ts";
import { throughTheApi } from "./whittle.ts";

/** Submitted at once by this many callers. */
const callers = 32;
const batch = 1000;
const singles = 100;
const concurrency = 8;

interface Figures {
  submitted: number[];
  worked: number[];
  /** From the call that submits to the first moment of the job, idle worker, ms. */
  waits: number[];
}

/**
 * Submitting, running and picking up jobs that do nothing: through the API (HTTP, validation, job record, events) and with bare BullMQ on the
 * same Redis, in turns within each round.
 */
export const bench: Bench = async ({ rounds, only = "", say }) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "whittle-bench-"));
  const redis = await startRedis({ dir: path.join(folder, "redis") });
  const results = new Map<string, Figures>();
  try {
    for (let round = 0; round < rounds; round++) {
      for (const open of [
        () => throughTheApi(redis.url, folder, concurrency),
        () => bareBullmq(redis.url, concurrency),
      ]) {
        const side = await open();
        try {
          if (side.name.includes(only)) say(`round ${round + 1}/${rounds} ${await measure(side, results)}`);
        } finally {
          await side.close();
        }
      }
    }
  } finally {
    await redis.close();
    await rm(folder, { recursive: true, force: true });
  }
  return [...results].flatMap(([name, figures]) => summarize(name, figures));
};

async function measure(side: Side, results: Map<string, Figures>): Promise<string> {
  const figures = results.get(side.name) ?? { submitted: [], worked: [], waits: [] };
  results.set(side.name, figures);

  const begin = performance.now();
  await submitMany(side);
  const submitted = (batch * 1000) / (performance.now() - begin);

  const started = count(side, batch);
  const workBegin = performance.now();
  await side.work();
  await started;
  const worked = (batch * 1000) / (performance.now() - workBegin);

  const waits: number[] = [];
  for (let i = 0; i < singles; i++) {
    const first = count(side, 1);
    const at = performance.now();
    await Promise.all([side.submit(), first]);
    waits.push((await first) - at);
  }
  figures.submitted.push(submitted);
  figures.worked.push(worked);
  figures.waits.push(...waits);
  return `${side.name.padEnd(7)} submit ${submitted.toFixed(0)}/s, run ${worked.toFixed(0)}/s, submit to first step p50 ${median(waits).toFixed(1)} ms, p99 ${percentile(waits, 99).toFixed(1)} ms`;
}

async function submitMany(side: Side): Promise<void> {
  let left = batch;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await side.submit();
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Resolves with the time at which the `jobs`-th job from now on starts. */
function count(side: Side, jobs: number): Promise<number> {
  let left = jobs;
  return new Promise((resolve) => side.onStart(() => --left === 0 && resolve(performance.now())));
}

function summarize(name: string, { submitted, worked, waits }: Figures): Check[] {
  return [
    told(`queue/${name}/submitted-per-second`, median(submitted)),
    told(`queue/${name}/run-per-second`, median(worked)),
    told(`queue/${name}/submit-to-first-step-p50-ms`, median(waits)),
    told(`queue/${name}/submit-to-first-step-p99-ms`, percentile(waits, 99)),
  ];
}
