import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { WhittleClient } from "@whittle/sdk";
import { z } from "zod";
import { atMost, type Check } from "../../bench.ts";
import { median } from "../../statistics.ts";
import { startWhittle, type Place } from "./programs.ts";

/** An epoch takes 2 s and a checkpoint has 6.5 MB, or an epoch takes 16 s, on two cores of an AMD EPYC. */
export const trainings = {
  "short-epochs": { family: "mlp", familyParams: { hidden: [512] }, dataset: "fashion-mnist", epochs: 16 },
  "long-epochs": { family: "cnn", familyParams: { filters: [32, 64] }, dataset: "fashion-mnist", epochs: 5 },
} as const;

export type Training = keyof typeof trainings;

export const trainingNames: Training[] = ["short-epochs", "long-epochs"];

/** How long an epoch of the same training takes, after the first, ms. */
export interface Pair {
  training: Training;
  bare: number;
  supervised: number;
}

/** A training under way: its process, when its epochs have ended (ms since 1970), and when it could run. */
interface Side {
  pid: number;
  ends: number[];
  spans: [from: number, to: number][];
  ended: Promise<unknown>;
}

/** About how long one side runs while the other is stopped, ms. */
const turnMs = 700;

/**
 * Trains in a process that nobody watches, and as a job under API, worker, Redis and store: with lease, heartbeat, events and checkpoints that
 * go to the store. After their first epochs each runs only while the other is stopped, so that what else the machine does meets both alike.
 */
export async function measurePair(place: Place, training: Training): Promise<Pair> {
  const params = trainings[training];
  const { client, close } = await startWhittle(place, {});
  try {
    const supervised = await trainSupervised(client, params);
    const bare = trainBare(place, params);
    await takeTurns(bare, supervised, params.epochs);
    await Promise.all([bare.ended, supervised.ended]);
    return { training, bare: epochOf(bare), supervised: epochOf(supervised) };
  } finally {
    await close();
  }
}

export function supervisionChecks(pairs: Pair[]): Check[] {
  return trainingNames.flatMap((name) => {
    const ratios = pairs.filter(({ training }) => training === name).map(({ bare, supervised }) => supervised / bare);
    return ratios.length > 0 ? [atMost(`queue/supervision/${name}/time-ratio`, median(ratios), 1.01)] : [];
  });
}

function trainBare({ folder }: Place, params: object): Side {
  const program = fileURLToPath(new URL("./bare-train.ts", import.meta.url));
  const child = fork(program, [folder, JSON.stringify(params)], { execArgv: ["--import", "tsx"] });
  const ends: number[] = [];
  child.on("message", (at) => ends.push(z.number().parse(at)));
  return { pid: child.pid ?? 0, ends, spans: [], ended: once(child, "exit") };
}

async function trainSupervised(client: WhittleClient, params: (typeof trainings)[Training]): Promise<Side> {
  const { id } = await client.submit("train", params, { fresh: true });
  const ends: number[] = [];
  const follow = async (): Promise<void> => {
    for await (const event of client.events(id))
      if (event.type === "metrics" && event.series === "epoch") ends.push(Date.parse(event.at));
  };
  const ended = follow();
  for (;;) {
    const pid = (await client.workers()).flatMap(({ jobs }) => jobs).find((job) => job.id === id)?.pid;
    if (pid !== undefined) return { pid, ends, spans: [], ended };
    await sleep(50);
  }
}

/** Until one has ended; the other then runs on alone, and what it does is not counted. */
async function takeTurns(bare: Side, supervised: Side, epochs: number): Promise<void> {
  const sides = [bare, supervised];
  while (sides.some(({ ends }) => ends.length === 0)) await sleep(50);
  for (const { pid } of sides) process.kill(pid, "SIGSTOP");
  for (let turn = 0; sides.every(({ ends }) => ends.length < epochs); turn++) {
    const { pid, spans } = sides[turn % 2] ?? bare;
    const from = Date.now();
    process.kill(pid, "SIGCONT");
    await sleep(turnMs * (0.7 + 0.6 * Math.random()));
    // One that has said its last epoch may be gone before it can be stopped.
    if (sides.every(({ ends }) => ends.length < epochs)) process.kill(pid, "SIGSTOP");
    spans.push([from, Date.now()]);
  }
  for (const { pid, ends } of sides) if (ends.length < epochs) process.kill(pid, "SIGCONT");
}

/** The time that a side could run between the ends of epochs in its turns, over their number. */
function epochOf({ ends, spans }: Side): number {
  const [begin = 0, end = 0] = [spans[0]?.[0], spans.at(-1)?.[1]];
  const inside = ends.filter((at) => at >= begin && at <= end);
  const [first = Number.NaN, last = Number.NaN] = [inside[0], inside.at(-1)];
  const ran = spans.map(([from, to]) => Math.max(0, Math.min(to, last) - Math.max(from, first)));
  return ran.reduce((sum, ms) => sum + ms, 0) / (inside.length - 1);
}
