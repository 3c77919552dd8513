import { setTimeout as sleep } from "node:timers/promises";
import type { History } from "../history.ts";
import type { Load } from "../load.ts";
import type { Random } from "../random.ts";
import type { ChaosWorker, System } from "../system.ts";

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

/** Strikes a worker that runs a job, `child` being the process of that. */
export async function onBusyWorker(
  { system, random, alone }: Arena,
  strike: (worker: ChaosWorker, child: number) => Promise<void>,
): Promise<boolean> {
  const worker = random.pick(system.workers);
  if (!worker) return false;
  return alone(worker.program.name, async () => {
    const child = await find(() => system.children().find(({ parent }) => parent === worker.program.pid())?.pid);
    if (child === undefined) return false;
    await sleep(random.between(0, 300));
    await strike(worker, child);
    return true;
  });
}
