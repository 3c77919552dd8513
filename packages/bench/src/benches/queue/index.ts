import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { startRedis } from "@whittle/queue/server";
import { atMost, told, type Bench, type Check } from "../../bench.ts";
import { median, percentile } from "../../statistics.ts";
import { bareBullmq } from "./bare.ts";
import { cancelChecks, measureCancels } from "./cancel.ts";
import { cpuShareChecks, measureCpuShare, type CpuUse } from "./cpu-share.ts";
import { measureRecoveries, recoveryChecks, type Recoveries } from "./recovery.ts";
import type { Side } from "./side.ts";
import { measurePair, supervisionChecks, trainingNames, type Pair } from "./supervision.ts";
import { throughTheApi } from "./whittle.ts";

/** Submitted at once by this many callers. */
const callers = 32;
const batch = 1000;
const singles = 100;
const concurrency = 8;

export const caseNames = [
  "api",
  "bullmq",
  "cancel",
  "recovery",
  ...trainingNames.flatMap((name) => [`supervision/${name}`, `supervision/${name}/cpu-share`]),
];

interface Figures {
  submitted: number[];
  worked: number[];
  /** From the call that submits to the first moment of the job, idle worker, ms. */
  waits: number[];
  /** From the job's acceptance to its first moment, ms. */
  pickUps: number[];
}

/**
 * Submitting, running and picking up jobs that do nothing: through the API (HTTP, validation, job record, events) and with bare BullMQ on the
 * same Redis, in turns within each round; cancelling a job that trains; from a kill to running again; and what a worker's supervision costs a
 * training.
 */
export const bench: Bench = async ({ rounds, only = "", say }) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "whittle-bench-"));
  const redis = await startRedis({ dir: path.join(folder, "redis") });
  const place = { redisUrl: redis.url, folder };
  const results = new Map<string, Figures>();
  const cancels: number[] = [];
  const recoveries: Recoveries[] = [];
  const pairs: Pair[] = [];
  const uses: CpuUse[] = [];
  const sides = {
    api: () => throughTheApi(place, concurrency),
    bullmq: async () => bareBullmq(redis.url, concurrency),
  };
  try {
    for (let round = 0; round < rounds; round++) {
      const tell = (line: string): void => say(`round ${round + 1}/${rounds} ${line}`);
      for (const [name, open] of Object.entries(sides)) {
        if (!name.includes(only)) continue;
        const side = await open();
        tell(await measure(side, results).finally(() => side.close()));
      }
      if ("cancel".includes(only)) {
        const times = await measureCancels(place);
        cancels.push(...times);
        tell(`cancel  to process gone p50 ${median(times).toFixed(0)} ms, most ${Math.max(...times).toFixed(0)} ms`);
      }
      if ("recovery".includes(only)) {
        const times = await measureRecoveries(place, rounds);
        recoveries.push(times);
        for (const [what, ms] of Object.entries(times))
          tell(`recovery ${what}: p50 ${median(ms).toFixed(0)} ms, most ${Math.max(...ms).toFixed(0)} ms`);
      }
      for (const training of trainingNames.filter((name) => `supervision/${name}`.includes(only))) {
        const pair = await measurePair(place, training);
        pairs.push(pair);
        tell(`${training}: an epoch bare ${pair.bare.toFixed(0)} ms, supervised ${pair.supervised.toFixed(0)} ms`);
      }
      for (const training of trainingNames.filter((name) => `supervision/${name}/cpu-share`.includes(only))) {
        const use = await measureCpuShare(place, redis.pid, training);
        uses.push(use);
        const parts = [use.around, use.messages, use.copies].map((seconds) => seconds.toFixed(3)).join(" + ");
        tell(`${training}: ${parts} s of CPU in ${use.seconds.toFixed(0)} s, the job ${use.job.toFixed(1)} s`);
      }
    }
  } finally {
    await redis.close();
    await rm(folder, { recursive: true, force: true });
  }
  return [
    ...[...results].flatMap(([name, figures]) => summarize(name, figures)),
    ...(cancels.length > 0 ? cancelChecks(cancels) : []),
    ...(recoveries.length > 0 ? recoveryChecks(recoveries) : []),
    ...(pairs.length > 0 ? supervisionChecks(pairs) : []),
    ...(uses.length > 0 ? cpuShareChecks(uses) : []),
  ];
};

async function measure(side: Side, results: Map<string, Figures>): Promise<string> {
  const figures = results.get(side.name) ?? { submitted: [], worked: [], waits: [], pickUps: [] };
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
    const begun = await first;
    waits.push(begun.at - at);
    figures.pickUps.push(begun.pickUp);
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

/** Resolves when the `jobs`-th job from now on starts, with that time and for how long it was accepted, ms. */
function count(side: Side, jobs: number): Promise<{ at: number; pickUp: number }> {
  let left = jobs;
  return new Promise((resolve) =>
    side.onStart((acceptedAt) => {
      if (--left === 0) resolve({ at: performance.now(), pickUp: Date.now() - acceptedAt });
    }),
  );
}

function summarize(name: string, { submitted, worked, waits, pickUps }: Figures): Check[] {
  return [
    told(`queue/${name}/submitted-per-second`, median(submitted)),
    told(`queue/${name}/run-per-second`, median(worked)),
    told(`queue/${name}/submit-to-first-step-p50-ms`, median(waits)),
    told(`queue/${name}/submit-to-first-step-p99-ms`, percentile(waits, 99)),
    told(`queue/${name}/pick-up-p50-ms`, median(pickUps)),
    atMost(`queue/${name}/pick-up-p99-ms`, percentile(pickUps, 99), 10),
  ];
}
