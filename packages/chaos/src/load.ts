import { setTimeout as sleep } from "node:timers/promises";
import { AppError, toAppError } from "@whittle/contracts";
import type { ChaosParams } from "./job/contract.ts";
import type { History } from "./history.ts";
import type { Random } from "./random.ts";
import { prefix, type System } from "./system.ts";

/** A job that has not ended, as it was seen last. */
export interface OpenJob {
  id: string;
  steps: number;
  epoch: number;
  running: boolean;
  /** Names in its scratch space, the newest first. */
  checkpoints: string[];
}

/** Submits jobs so that there are always some, and watches them. */
export interface Load {
  open(): OpenJob[];
  /** Submits a job, in `copies` requests at a time with one Idempotency-Key, and repeats each until it is acknowledged. */
  submit(copies?: number): Promise<void>;
  /** Submits jobs one after the other, each when there is nothing else to do. */
  submitIdle(count: number): Promise<void>;
  /** Whether more jobs are open than workers get to: then none should be added. */
  isFull(): boolean;
  /** Keeps `count` jobs open from now on. */
  keepOpen(count: number): void;
  /** Resolves when all jobs have ended, or at the limit. */
  untilEnded(limitMs: number): Promise<void>;
  stop(): Promise<void>;
}

const lookEveryMs = 100;
/** Several jobs publish under one name, so that they compete for its next version. */
const names = 40;
const attempts = 20;
/** Open jobs, in multiples of what is to be kept open, at which the load is full. */
const fullAt = 2;
const interval = 8;

export function createLoad(system: System, history: History, random: Random): Load {
  const open = new Map<string, OpenJob>();
  let submissions = 0;
  let pending = 0;
  let wanted = 0;
  const leave = new AbortController();

  const acknowledge = async (params: ChaosParams, idle: boolean): Promise<void> => {
    const { submission, steps } = params;
    const output = { name: `chaos-${submission % names}` };
    const options = { output, attempts, idempotencyKey: `submission-${submission}` };
    for (;;) {
      try {
        const { id } = await answered(system.client.send("chaos", params, options));
        history.add({ what: "accepted", job: id, submission, steps, interval, idle });
        if (!open.has(id)) open.set(id, { id, steps, epoch: 0, running: false, checkpoints: [] });
        return;
      } catch (error) {
        if (toAppError(error).code !== "unavailable") throw error;
        await sleep(lookEveryMs);
      }
    }
  };
  const submitOne = async (copies: number, idle: boolean): Promise<void> => {
    const submission = submissions++;
    const steps = idle ? 1 : Math.floor(random.between(20, 70));
    const stepMs = random.between(30, 60);
    const params = { submission, steps, stepMs, interval, bytes: 65_536, witness: system.witness };
    pending++;
    try {
      await Promise.all(Array.from({ length: copies }, () => acknowledge(params, idle)));
    } finally {
      pending--;
    }
  };
  const watch = async (): Promise<void> => {
    while (!leave.signal.aborted) {
      await look(system, history, open);
      while (open.size + pending < wanted) void submitOne(1, false);
      await sleep(lookEveryMs);
    }
  };
  const watching = watch();
  const untilEnded = async (limitMs: number): Promise<void> => {
    for (const end = Date.now() + limitMs; open.size + pending > 0 && Date.now() < end;) await sleep(lookEveryMs);
  };
  return {
    open: () => [...open.values()],
    isFull: () => open.size + pending >= fullAt * wanted,
    submit: (copies = 1) => submitOne(copies, false),
    submitIdle: async (count) => {
      for (let at = 0; at < count; at++) {
        await submitOne(1, true);
        await untilEnded(60_000);
      }
    },
    keepOpen: (count) => void (wanted = count),
    untilEnded,
    stop: async () => {
      leave.abort();
      await watching;
    },
  };
}

const answerLimitMs = 10_000;

/** A host that is gone does not even break a connection: then it is the client that gives up. @throws AppError `unavailable`. */
export function answered<T>(request: Promise<T>): Promise<T> {
  const late = sleep(answerLimitMs, undefined, { ref: false }).then(() =>
    Promise.reject(new AppError("unavailable", `no answer after ${answerLimitMs / 1000} s`)),
  );
  return Promise.race([request, late]);
}

/** Reads where the open jobs stand, from Redis itself, and writes down where their checkpoints' pointers have moved. */
async function look(system: System, history: History, open: Map<string, OpenJob>): Promise<void> {
  const jobs = [...open.values()];
  const fields = ["place", "epoch", "running", "checkpoints"];
  const answers = await Promise.all(
    jobs.map(({ id }) => system.redis.connection.hmget(`${prefix}:job:${id}`, ...fields)),
  );
  for (const [at, job] of jobs.entries()) {
    const [place, epoch, running, checkpoints] = answers[at] ?? [];
    const kept: string[] = JSON.parse(checkpoints ?? "[]");
    job.running = typeof running === "string";
    if (kept[0] !== job.checkpoints[0] || Number(epoch) !== job.epoch)
      history.add({ what: "pointer", job: job.id, epoch: Number(epoch ?? 0), checkpoints: kept });
    job.epoch = Number(epoch ?? 0);
    job.checkpoints = kept;
    if (place === "ended") open.delete(job.id);
  }
}
