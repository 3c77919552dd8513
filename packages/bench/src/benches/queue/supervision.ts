import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { atMost, type Check } from "../../bench.ts";
import { median } from "../../statistics.ts";
import { startWhittle, type Place } from "./programs.ts";

const params = { family: "mlp", familyParams: { hidden: [512] }, dataset: "fashion-mnist", epochs: 8 } as const;

/** How long the same training takes, from the end of its first epoch to that of its last, ms. */
export interface Pair {
  bare: number;
  supervised: number;
}

/**
 * Trains in a process that nobody watches, and as a job under API, worker, Redis and store: with lease, heartbeat, events and checkpoints that
 * go to the store. The rounds take turns at which comes first.
 */
export async function measurePair(place: Place, bareFirst: boolean): Promise<Pair> {
  if (!bareFirst) {
    const supervised = await trainSupervised(place);
    return { supervised, bare: await trainBare(place) };
  }
  return { bare: await trainBare(place), supervised: await trainSupervised(place) };
}

export function supervisionCheck(pairs: Pair[]): Check {
  return atMost("queue/supervision/time-ratio", median(pairs.map(({ bare, supervised }) => supervised / bare)), 1.01);
}

async function trainBare({ folder }: Place): Promise<number> {
  const program = fileURLToPath(new URL("./bare-train.ts", import.meta.url));
  const child = fork(program, [folder, JSON.stringify(params)], { execArgv: ["--import", "tsx"] });
  const exited = once(child, "exit").then(([code]) => Promise.reject(new Error(`bare training ended with ${code}`)));
  const [ends] = await Promise.race([once(child, "message"), exited]);
  await exited.catch(() => {});
  return spanOf(z.array(z.number()).parse(ends));
}

async function trainSupervised(place: Place): Promise<number> {
  const { client, close } = await startWhittle(place, {});
  try {
    const { id } = await client.submit("train", params, { fresh: true });
    await client.wait(id);
    const epochs = (await client.metrics(id)).filter(({ series }) => series === "epoch");
    return spanOf(epochs.map(({ at }) => Date.parse(at)));
  } finally {
    await close();
  }
}

function spanOf(ends: number[]): number {
  return (ends.at(-1) ?? Number.NaN) - (ends[0] ?? Number.NaN);
}
