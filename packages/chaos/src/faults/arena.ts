import { setTimeout as sleep } from "node:timers/promises";
import type { History } from "../history.ts";
import type { Load } from "../load.ts";
import { isAlive } from "../processes.ts";
import type { Random } from "../random.ts";
import type { ChaosWorker, System } from "../system.ts";
import { readRun } from "../witness.ts";

/** What a fault has to do with. */
export interface Arena {
  system: System;
  history: History;
  load: Load;
  random: Random;
  /** Does `work` when no other fault is at the same thing. */
  alone: <T>(what: string, work: () => Promise<T>) => Promise<T>;
}

export interface Fault {
  kind: string;
  /** Whether this system can have it; by default it can. */
  possible?(system: System): boolean;
  /** Strikes, and resolves when the fault is over. @returns false when there was nothing to strike. */
  strike(arena: Arena): Promise<boolean>;
}

/** One at a time for each name. */
export function createLocks(): Arena["alone"] {
  const last = new Map<string, Promise<unknown>>();
  return (what, work) => {
    const mine = (last.get(what) ?? Promise.resolve()).then(work, work);
    last.set(what, mine);
    return mine;
  };
}

const findLimitMs = 20_000;
const findEveryMs = 20;

/** Looks for something again and again, for some seconds. */
export async function find<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T | undefined> {
  for (const end = Date.now() + findLimitMs; Date.now() < end; await sleep(findEveryMs)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Strikes a worker whose job is under way, `child` being the process of that. */
export async function onBusyWorker(
  arena: Arena,
  strike: (worker: ChaosWorker, child: number) => Promise<void>,
): Promise<boolean> {
  const { system, random, alone } = arena;
  const worker = random.pick(system.workers);
  if (!worker) return false;
  return alone(worker.program.name, async () => {
    const child = await find(() => processUnder(arena, worker.program.pid()));
    if (child === undefined) return false;
    await sleep(random.between(0, 300));
    await strike(worker, child);
    return true;
  });
}

/** The process of a job that has begun under a worker's. */
async function processUnder({ system, load }: Arena, worker: number): Promise<number | undefined> {
  for (const { id, epoch, running } of load.open()) {
    const [begun] = running ? await readRun(system.witness, id, epoch) : [];
    if (begun?.what === "begun" && begun.parent === worker && isAlive(begun.pid)) return begun.pid;
  }
  return undefined;
}
