import { setTimeout as sleep } from "node:timers/promises";
import type { WhittleClient } from "@whittle/sdk";
import { atMost, told, type Check } from "../../bench.ts";
import { median, percentile } from "../../statistics.ts";
import { isAlive, startWhittle, untilTraining, type Place } from "./programs.ts";

const graceSeconds = 2;
const cancelsPerRound = 6;
const pollMs = 5;

/** From the request to cancel a job that trains until its process is gone, ms. */
export async function measureCancels(place: Place): Promise<number[]> {
  const { client, close } = await startWhittle(place, { WHITTLE_GRACE_SECONDS: String(graceSeconds) });
  const times: number[] = [];
  try {
    for (let at = 0; at < cancelsPerRound; at++) times.push(await cancelOne(client));
    return times;
  } finally {
    await close();
  }
}

export function cancelChecks(times: number[]): Check[] {
  const limitMs = (graceSeconds + 1) * 1000;
  return [
    told("queue/cancel/to-gone-p50-ms", median(times)),
    atMost("queue/cancel/to-gone-p99-ms", percentile(times, 99), limitMs),
  ];
}

async function cancelOne(client: WhittleClient): Promise<number> {
  const params = { family: "mlp", dataset: "fashion-mnist", epochs: 1000, limit: { train: 5000 } } as const;
  const { id } = await client.submit("train", params, { fresh: true });
  await untilTraining(client, id);
  const jobs = (await client.workers()).flatMap((worker) => worker.jobs);
  const pid = jobs.find((job) => job.id === id)?.pid;
  if (pid === undefined) throw new Error(`job ${id} has no process`);
  const asked = performance.now();
  await client.cancel(id);
  while (isAlive(pid)) await sleep(pollMs);
  return performance.now() - asked;
}
