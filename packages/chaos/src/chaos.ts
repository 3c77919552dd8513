import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./build.ts";
import { check } from "./check/index.ts";
import { createLocks, type Arena, type Fault } from "./faults/arena.ts";
import { faults as allFaults } from "./faults/index.ts";
import { createHistory } from "./history.ts";
import { createLoad } from "./load.ts";
import { observe } from "./observe.ts";
import { createDeck, createRandom } from "./random.ts";
import { makeReport, type Report } from "./report.ts";
import { startSystem, type System, type SystemOptions } from "./system.ts";

export interface ChaosOptions extends SystemOptions {
  /** How many faults. */
  faults: number;
  /** Only faults whose kind contains this text. */
  only?: string;
  seed: number;
  /** Jobs that are submitted to idle workers before the first fault. */
  idleJobs: number;
  /** File that the history is written to, line by line. */
  history: string;
  say: (line: string) => void;
  /** Aborted when there are to be no more faults; what was done until then is checked. */
  enough: AbortSignal;
}

/** Faults that are under way at the same time, for each worker. */
const atOnce = 2;
/** How long jobs may take to end after the last fault. */
const endLimitMs = 900_000;

/**
 * Runs jobs on a Whittle of its own and breaks it in many ways; then holds everything that happened against what is promised. The seed
 * decides which faults come in which order, on what, and for how long; what they meet depends on the machine's timing.
 */
export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { seed, idleJobs, say, workers } = options;
  await mkdir(dirname(options.history), { recursive: true });
  await rm(options.history, { force: true });
  const history = createHistory(options.history);
  const system = await startSystem(options);
  try {
    const load = createLoad(system, history, createRandom(seed + 1));
    await load.submitIdle(idleJobs);
    load.keepOpen(2 * workers + 1);
    const arena: Arena = { system, history, load, random: createRandom(seed), alone: createLocks() };
    const began = Date.now();
    await strikeAll(arena, options);
    say("no more faults: waiting for the jobs to end");
    load.keepOpen(0);
    await load.untilEnded(endLimitMs);
    await load.stop();
    for (const orphan of await system.stopPrograms()) history.add({ what: "orphan", ...orphan });
    await observe(system, history);
    const { entries } = history;
    const violations = check(entries);
    const setting = { seed, store: options.store, workers, hosts: options.hosts, seconds: (Date.now() - began) / 1000 };
    const report = makeReport(entries, violations, setting);
    return violations.length === 0 ? report : { ...report, evidence: await keepEvidence(system, options) };
  } finally {
    await system.close();
  }
}

/** Keeps the history, which the next run would replace, and what the programs wrote. @returns the folder. */
async function keepEvidence({ folder }: System, { history, seed }: ChaosOptions): Promise<string> {
  const evidence = join(root, ".whittle", "chaos", `violation-${seed}-${Date.now()}`);
  await cp(history, join(evidence, "history.jsonl"));
  const logs = (await readdir(folder)).filter((name) => name.endsWith(".log"));
  for (const log of logs) await cp(join(folder, log), join(evidence, log));
  return evidence;
}

async function strikeAll(arena: Arena, { faults: count, only, workers, enough, say }: ChaosOptions): Promise<void> {
  const faults = possible(arena.system, only);
  if (faults.length === 0) throw new Error(`no fault with "${only}" in its kind is possible on this machine and store`);
  const draw = createDeck(faults, arena.random);
  const under = new Set<Promise<void>>();
  const errors: unknown[] = [];
  // Not in the head of the loop, where each iteration would count on in a copy of its own.
  let struck = 0;
  while (struck < count && !enough.aborted && errors.length === 0) {
    const fault = draw();
    if (!fault) return;
    struck++;
    const strike = fault
      .strike(arena)
      // What it was to strike is not there: another takes its place.
      .then((hit) => void (struck -= hit ? 0 : 1))
      .catch((error: unknown) => void errors.push(error))
      .finally(() => under.delete(strike));
    under.add(strike);
    await sleep(arena.random.between(50, 300));
    if (under.size >= atOnce * workers) await Promise.race(under);
    if (struck >= count) await Promise.all(under);
    if (struck % 50 === 0) say(`${struck} of ${count} faults, ${arena.load.open().length} jobs open`);
  }
  await Promise.all(under);
  if (errors.length > 0) throw new AggregateError(errors, "a fault could not be made");
}

function possible(system: System, only = ""): Fault[] {
  return allFaults.filter((fault) => fault.kind.includes(only) && (fault.possible?.(system) ?? true));
}
