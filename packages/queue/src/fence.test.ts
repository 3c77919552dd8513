import { AppError } from "@whittle/contracts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createContext, workerConnection, type Context } from "./connection.ts";
import { startRun, type Fence } from "./fence.ts";
import { readRecord } from "./record.ts";
import type { Execute } from "./run-job.ts";
import { resultOf, succeed, untilStopped } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";
import { end } from "./transitions.ts";

const rig = useRig();
let context: Context;

beforeEach(() => {
  context = createContext(workerConnection(rig.redis.url), rig.prefix);
});

afterEach(() => context.close());

/** Begins a run as a worker does that has just got BullMQ's lock. */
async function start(id: string, worker: string): Promise<Fence> {
  const claim = { id, kind: "make", token: worker, worker, quarantineAfter: 5 };
  await context.redis.set(`${context.keys.bull}:make:${id}:lock`, worker);
  const started = await startRun(context, claim);
  if (typeof started === "string") throw new Error(started);
  return started.fence;
}

const log = (message: string) => ({ type: "log", level: "info", message }) as const;

describe("a run", () => {
  it("is refused to a worker without the lock", async () => {
    const id = await rig.submit();
    const claim = { id, kind: "make", token: "mine", worker: "w", quarantineAfter: 5 };
    expect(await startRun(context, claim)).toBe("unheld");
    expect((await rig.queue.get(id)).runs).toEqual([]);
  });

  it("that another has followed changes nothing: events, progress, checkpoints, publication, end", async () => {
    const id = await rig.submit();
    const late = await start(id, "late");
    await late.keep("1-1");
    const now = await start(id, "now");
    expect([late.run.epoch, now.run.epoch]).toEqual([1, 2]);
    const before = await rig.queue.get(id);

    expect(await late.emit(log("late"))).toBe(false);
    expect(await late.emit({ type: "progress", fraction: 0.9, stage: "late" })).toBe(false);
    await expect(late.keep("1-2")).rejects.toMatchObject({ code: "conflict" });
    await expect(late.commit()).rejects.toMatchObject({ code: "conflict" });
    expect(await late.leave(late.run)).toBeUndefined();
    const how = { state: "completed", at: new Date().toISOString(), result: { metrics: {} } } as const;
    expect(await end(context, id, "queue", how, late.run)).toBe(false);

    expect(await rig.queue.get(id)).toEqual(before);
    expect(before).toMatchObject({ state: "running", worker: "now", lostRuns: 1, runs: [{ outcome: "lost" }, {}] });
    expect(await rig.queue.events(id, { types: ["log", "progress"] })).toEqual([]);
    expect(await now.emit(log("now"))).toBe(true);
    await now.commit();
  });

  it("keeps the last two checkpoints of each series and says which are not needed any more", async () => {
    const id = await rig.submit();
    const fence = await start(id, "w");
    const dropped = [];
    for (const name of ["1-1-a-1", "1-2-a-2", "1-3-a-3", "1-4-a-4"]) dropped.push(await fence.keep(name));
    expect(dropped).toEqual([[], [], ["1-1-a-1"], ["1-2-a-2"]]);
    for (const name of ["1-5-a-2-1", "1-6-a-2-2", "1-7-a-5"]) dropped.push(await fence.keep(name));
    expect(dropped.slice(4)).toEqual([[], [], ["1-3-a-3"]]);
    expect((await readRecord(context, id))?.checkpoints).toEqual(["1-7-a-5", "1-6-a-2-2", "1-5-a-2-1", "1-4-a-4"]);
  });

  it("keeps the checkpoint before the newest when it is told of the newest twice, as after a lost answer", async () => {
    const id = await rig.submit();
    const fence = await start(id, "w");
    for (const name of ["1-1-a", "1-2-a"]) await fence.keep(name);
    expect(await fence.keep("1-2-a")).toEqual([]);
    expect((await readRecord(context, id))?.checkpoints).toEqual(["1-2-a", "1-1-a"]);
  });

  it("gets the checkpoints as they were when it began, also when Redis has forgotten the scripts", async () => {
    const id = await rig.submit();
    const earlier = await start(id, "w");
    await context.redis.script("FLUSH");
    await earlier.keep("1-1-a");
    // Sent in this order: Redis does not know the script that begins a run, so the checkpoint comes first.
    const later = startRun(context, { id, kind: "make", token: "w", worker: "w", quarantineAfter: 5 });
    await earlier.keep("1-2-a");
    expect(await later).toMatchObject({ record: { epoch: 2, checkpoints: ["1-2-a", "1-1-a"] } });
  });

  it("can't be cancelled once it may publish, and may not publish once it is cancelled", async () => {
    const [first, second] = [await rig.submit(), await rig.submit()];
    const publishes = await start(first, "w");
    await publishes.commit();
    await expect(rig.queue.cancel(first)).rejects.toMatchObject({ code: "conflict" });
    const cancelled = await start(second, "w");
    await context.redis.hset(context.keys.job(second), "cancel", new Date().toISOString());
    await expect(cancelled.commit()).rejects.toMatchObject({ code: "cancelled" });
  });

  it("of a job that BullMQ has and we don't is ended", async () => {
    const job = await context.queue("make").add("make", {}, { jobId: "stranger" });
    await rig.work(succeed);
    await vi.waitFor(async () => expect(await job.getState()).toBe("failed"), { timeout: 20_000 });
  });
});

/** How long the only job was made to wait before each of its starts but the first, as BullMQ was told, ms. */
async function pauses(): Promise<number[]> {
  const told = await context.redis.xrange(`${context.keys.bull}:make:events`, "-", "+");
  const waits: number[] = [];
  let pause = 0;
  for (const [at, fields] of told) {
    const event = Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]]] : [])));
    if (event["event"] === "delayed") pause = Number(event["delay"]) - Number.parseInt(at, 10);
    if (event["event"] !== "active") continue;
    waits.push(pause);
    pause = 0;
  }
  return waits.slice(1);
}

describe("what a job may cost", () => {
  it("a job whose process dies again and again is quarantined, with the reasons, and uses no attempt", async () => {
    const id = await rig.submit();
    let tries = 0;
    await rig.work(async () => Promise.reject(new AppError("worker_lost", `exit code ${++tries}`)), {
      quarantineAfter: 2,
    });
    const failed = await rig.reaches(id, "failed");
    expect(failed).toMatchObject({ attemptsMade: 0, lostRuns: 2, error: { code: "quarantined" } });
    expect(failed.error?.message).toMatch(/exit code 1[^]*exit code 2/);
    expect(failed.runs.map(({ outcome }) => outcome)).toEqual(["crashed", "crashed"]);
  });

  it("a job whose process dies is started again at once, and after a pause when that dies, too", async () => {
    const id = await rig.submit();
    await rig.work(async () => Promise.reject(new AppError("worker_lost", "killed")), { quarantineAfter: 2 });
    await rig.reaches(id, "failed");
    const [first, second] = await pauses();
    expect(first).toBe(0);
    expect(second).toBeGreaterThan(400);
  });

  it("a job whose process dies for the first time since a checkpoint is started again at once, whatever was before", async () => {
    const id = await rig.submit();
    await rig.work(async (envelope, { epoch, keep }) => {
      if (epoch === 2) await keep("2-1");
      if (epoch === 3) return resultOf(envelope);
      throw new AppError("worker_lost", "killed");
    });
    await rig.reaches(id, "completed");
    expect(await pauses()).toEqual([0, 0]);
  });

  it("a job that fails waits longer each time, until it has kept a checkpoint", async () => {
    const id = await rig.submit("make", 0, { attempts: 4 });
    await rig.work(async (envelope, { epoch, keep }) => {
      if (epoch === 3) await keep("3-1");
      if (epoch === 4) return resultOf(envelope);
      throw new AppError("unavailable", "the store is away");
    });
    await rig.reaches(id, "completed");
    const [first = 0, second = 0, third = 0] = await pauses();
    expect(Math.max(first, third)).toBeLessThanOrEqual(1000);
    expect(Math.min(first, third)).toBeGreaterThan(400);
    expect(second).toBeGreaterThan(900);
  });

  it.each([
    { how: "is quarantined", code: "worker_lost" },
    { how: "fails for good", code: "invalid_request" },
  ] as const)(
    "a job that $how after it has published has completed, as soon as the store can say so",
    async ({ code }) => {
      const id = await rig.submit();
      const stored: string[] = [];
      let asked = 0;
      const run: Execute = async (envelope, { epoch, commit }) => {
        if (epoch === 1) await commit();
        if (epoch === 1) stored.push(envelope.id);
        throw new AppError(epoch === 1 ? "worker_lost" : code, "the store is broken");
      };
      await rig.work(run, {
        quarantineAfter: 2,
        lockDurationMs: 1000,
        stalledIntervalMs: 200,
        published: async (envelope) => {
          if (++asked === 1) throw new AppError("unavailable", "the store is away");
          return stored.includes(envelope.id) ? resultOf(envelope) : undefined;
        },
      });
      expect(await rig.reaches(id, "completed")).toMatchObject({ result: { artifact: { version: 1 } } });
      expect(asked).toBe(2);
    },
  );

  it("a new checkpoint is a reason to go on with a job whose process dies", async () => {
    const id = await rig.submit();
    const seen: string[][] = [];
    await rig.work(
      async (envelope, { epoch, checkpoints, keep }) => {
        seen.push(checkpoints);
        await keep(`${epoch}-1`);
        if (epoch === 3) return resultOf(envelope);
        throw new AppError("worker_lost", "killed");
      },
      { quarantineAfter: 2 },
    );
    expect(await rig.reaches(id, "completed")).toMatchObject({ lostRuns: 2, attemptsMade: 1 });
    expect(seen).toEqual([[], ["1-1"], ["2-1", "1-1"]]);
  });

  it("counts what workers gave back apart, and says who ran it when", async () => {
    const id = await rig.submit();
    const first = await rig.work(untilStopped);
    await rig.reaches(id, "running");
    await first.close();
    await rig.work(async (envelope, { uses }) => {
      uses({ cpuSeconds: 1.5, peakRssBytes: 1_000_000 });
      return resultOf(envelope);
    });
    const done = await rig.reaches(id, "completed");
    expect(done).toMatchObject({ attemptsMade: 1, drains: 1, lostRuns: 0 });
    expect(done.runs).toMatchObject([
      { epoch: 1, outcome: "drained", endedAt: expect.any(String) },
      { epoch: 2, outcome: "completed", resources: { cpuSeconds: 1.5, peakRssBytes: 1_000_000 } },
    ]);
  });
});
