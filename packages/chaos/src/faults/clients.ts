import { setTimeout as sleep } from "node:timers/promises";
import { toAppError } from "@whittle/contracts";
import { answered, type OpenJob } from "../load.ts";
import { isAlive } from "../processes.ts";
import { readRun } from "../witness.ts";
import { find, type Arena, type Fault } from "./arena.ts";

const submitTwice: Fault = {
  kind: "submitted several times",
  strike: async ({ load, history, random }) => {
    if (load.isFull()) return false;
    history.add({ what: "fault", kind: "submitted several times", target: "API" });
    await load.submit(2 + random.below(4));
    return true;
  },
};

const killApi: Fault = {
  kind: "API killed in mid-submit",
  strike: ({ system, load, history, random, alone }) =>
    alone("API", async () => {
      if (load.isFull()) return false;
      const submitted = [load.submit(), load.submit(2)];
      await sleep(random.between(0, 40));
      history.add({ what: "fault", kind: "API killed in mid-submit", target: "API", pids: [system.api.pid()] });
      system.api.signal("SIGKILL");
      await Promise.all(submitted);
      return true;
    }),
};

const cancelRunning: Fault = {
  kind: "running job cancelled",
  strike: async (arena) => {
    const job = await find(() => arena.random.pick(arena.load.open().filter(({ running }) => running)));
    if (!job) return false;
    arena.history.add({ what: "fault", kind: "running job cancelled", target: job.id });
    await cancel(arena, job);
    return true;
  },
};

const cancelAtEnd: Fault = {
  kind: "cancelled as it completes",
  strike: async (arena) => {
    const { load, system, random, history } = arena;
    const job = await find(async () => {
      for (const one of load.open()) if (one.running && (await isAtEnd(system.witness, one))) return one;
      return undefined;
    });
    if (!job) return false;
    await sleep(random.between(0, 120));
    history.add({ what: "fault", kind: "cancelled as it completes", target: job.id });
    await cancel(arena, job);
    return true;
  },
};

async function isAtEnd(witness: string, { id, epoch, steps }: OpenJob): Promise<boolean> {
  const last = (await readRun(witness, id, epoch)).at(-1);
  return last?.what === "done" || (last?.what === "step" && last.step >= steps - 1);
}

const goneLimitMs = 60_000;

/** Cancels a job, and waits until the process that ran it is gone. */
async function cancel({ system, history }: Arena, { id, epoch }: OpenJob): Promise<void> {
  const [begun] = await readRun(system.witness, id, epoch);
  const asked = Date.now();
  const answer = await answered(system.client.cancel(id)).then(
    () => "accepted" as const,
    (error: unknown) => (toAppError(error).code === "conflict" ? ("refused" as const) : ("unknown" as const)),
  );
  history.add({ what: "cancel", job: id, asked, answer });
  if (begun?.what !== "begun" || answer !== "accepted") return;
  for (const end = Date.now() + goneLimitMs; isAlive(begun.pid) && Date.now() < end;) await sleep(10);
  if (!isAlive(begun.pid)) history.add({ what: "gone", job: id, pid: begun.pid });
}

export const clientFaults = [submitTwice, killApi, cancelRunning, cancelAtEnd];
