import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { atMost, type Check } from "../../bench.ts";
import { median } from "../../statistics.ts";
import { startWhittle, type Place } from "./programs.ts";

/** An epoch takes 2 s and a checkpoint has 6.5 MB, or an epoch takes 16 s, on two cores of an AMD EPYC. */
const trainings = {
  "short-epochs": { family: "mlp", familyParams: { hidden: [512] }, dataset: "fashion-mnist", epochs: 16 },
  "long-epochs": { family: "cnn", familyParams: { filters: [32, 64] }, dataset: "fashion-mnist", epochs: 5 },
} as const;

type Training = keyof typeof trainings;

export const trainingNames: Training[] = ["short-epochs", "long-epochs"];

/** How long the same training takes, from the end of its first epoch to that of its last, ms. */
export interface Pair {
  training: Training;
  bare: number;
  supervised: number;
}

/**
 * Trains in a process that nobody watches, and as a job under API, worker, Redis and store: with lease, heartbeat, events and checkpoints that
 * go to the store. The rounds take turns at which comes first.
 */
export async function measurePair(place: Place, training: Training, bareFirst: boolean): Promise<Pair> {
  if (!bareFirst) {
    const supervised = await trainSupervised(place, training);
    return { training, supervised, bare: await trainBare(place, training) };
  }
  const bare = await trainBare(place, training);
  return { training, bare, supervised: await trainSupervised(place, training) };
}

export function supervisionChecks(pairs: Pair[]): Check[] {
  return trainingNames.flatMap((name) => {
    const ratios = pairs.filter(({ training }) => training === name).map(({ bare, supervised }) => supervised / bare);
    return ratios.length > 0 ? [atMost(`queue/supervision/${name}/time-ratio`, median(ratios), 1.01)] : [];
  });
}

async function trainBare({ folder }: Place, training: Training): Promise<number> {
  const program = fileURLToPath(new URL("./bare-train.ts", import.meta.url));
  const child = fork(program, [folder, JSON.stringify(trainings[training])], { execArgv: ["--import", "tsx"] });
  const exited = once(child, "exit").then(([code]) => Promise.reject(new Error(`bare training ended with ${code}`)));
  const [ends] = await Promise.race([once(child, "message"), exited]);
  await exited.catch(() => {});
  return spanOf(z.array(z.number()).parse(ends));
}

async function trainSupervised(place: Place, training: Training): Promise<number> {
  const { client, close } = await startWhittle(place, {});
  try {
    const { id } = await client.submit("train", trainings[training], { fresh: true });
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
