import { setTimeout as sleep } from "node:timers/promises";
import type { WhittleClient } from "@whittle/sdk";
import { atMost, told, type Check } from "../../bench.ts";
import { median, percentile } from "../../statistics.ts";
import { isAlive, startApi, startWorker, untilTraining, type Place } from "./programs.ts";

/** Jobs that run at a time, each of which loses its process and its worker in turn. */
const lanes = 2;
/** Workers, of which those that run no job are idle. */
const workers = 4;
/** Samples of each in all rounds together, at least. */
const samples = 20;
const aimMs = 20_000;
const pollMs = 50;

/** Times to the first progress of a job, ms. */
export interface Recoveries {
  /** From its submission, with idle workers. */
  start: number[];
  /** From the kill of its process, or of its worker, to that of its next run. */
  process: number[];
  worker: number[];
}

/** Kills processes of jobs that train, and their workers, with the default lease and while another worker is idle. */
export async function measureRecoveries(place: Place, rounds: number): Promise<Recoveries> {
  const api = await startApi(place);
  const closing = [api.close];
  const { client } = api;
  const times: Recoveries = { start: [], process: [], worker: [] };
  const addWorker = async (): Promise<void> =>
    void closing.push((await startWorker(place, client, { WHITTLE_THREADS: "1" })).close);
  const lane = async (): Promise<void> => {
    for (let at = 0; at < samples / lanes / rounds; at++) {
      const submitted = Date.now();
      const id = await submitTraining(client);
      times.start.push((await progressOfNextRun(client, id, submitted)) - submitted);
      times.process.push(await recover(client, id, ({ pid }) => void process.kill(pid, "SIGKILL")));
      let replacement: Promise<void> | undefined;
      const killWorker = ({ worker }: Processes): void => {
        process.kill(worker, "SIGKILL");
        // It starts while the claim lapses, when this lane computes nothing.
        replacement = addWorker();
      };
      times.worker.push(await recover(client, id, killWorker));
      await Promise.all([replacement, client.cancel(id)]);
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, addWorker));
    await Promise.all(Array.from({ length: lanes }, lane));
    return times;
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

export function recoveryChecks(all: Recoveries[]): Check[] {
  const checksOf = (what: keyof Recoveries, name: string, p99: (name: string, value: number) => Check): Check[] => {
    const times = all.flatMap((one) => one[what]);
    return [
      told(`${name}-samples`, times.length),
      told(`${name}-p50-ms`, median(times)),
      p99(`${name}-p99-ms`, percentile(times, 99)),
      told(`${name}-most-ms`, Math.max(...times)),
    ];
  };
  const withinAim = (name: string, value: number): Check => atMost(name, value, aimMs);
  return [
    ...checksOf("start", "queue/recovery/submitted-to-progress", told),
    ...checksOf("process", "queue/recovery/process-killed-to-progress", withinAim),
    ...checksOf("worker", "queue/recovery/worker-killed-to-progress", withinAim),
  ];
}

async function submitTraining(client: WhittleClient): Promise<string> {
  const params = { family: "mlp", dataset: "fashion-mnist", epochs: 1000, limit: { train: 5000 } } as const;
  return (await client.submit("train", params, { fresh: true })).id;
}

interface Processes {
  pid: number;
  worker: number;
}

/** Kills when the job trains and another worker is idle. @returns until it trains again, ms. */
async function recover(client: WhittleClient, id: string, kill: (of: Processes) => void): Promise<number> {
  await untilTraining(client, id);
  const processes = await untilOthersAreIdle(client, id);
  // Claims are renewed, and lapsed ones looked for, at fixed times.
  await sleep(Math.random() * 2000);
  const killed = Date.now();
  kill(processes);
  return (await progressOfNextRun(client, id, killed)) - killed;
}

async function untilOthersAreIdle(client: WhittleClient, id: string): Promise<Processes> {
  for (; ; await sleep(pollMs)) {
    const there = (await client.workers()).filter(({ pid }) => isAlive(pid));
    const own = there.find(({ jobs }) => jobs.some((job) => job.id === id));
    const pid = own?.jobs.find((job) => job.id === id)?.pid;
    if (own && pid !== undefined && there.some(({ jobs }) => jobs.length === 0)) return { pid, worker: own.pid };
  }
}

/** When the first run that began after `killed` told its first progress, in ms since 1970. */
async function progressOfNextRun(client: WhittleClient, id: string, killed: number): Promise<number> {
  let again = false;
  for await (const event of client.events(id)) {
    const at = Date.parse(event.at);
    if (at < killed) continue;
    if (event.type === "state" && event.state === "running") again = true;
    if (event.type === "progress" && again) return at;
  }
  throw new Error(`job ${id} has ended before it ran again`);
}
