import { setTimeout as sleep } from "node:timers/promises";
import { AppError, type ErrorCode } from "@whittle/contracts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createContext, workerConnection, type Context } from "./connection.ts";
import { maintain } from "./maintenance.ts";
import { reconcile } from "./reconcile.ts";
import { applyRetention, type Retention } from "./retention.ts";
import { succeed, untilStopped } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";
import type { Execute } from "./run-job.ts";
import { wishAway } from "./transitions.ts";

const rig = useRig();
let context: Context;

beforeEach(() => {
  context = createContext(workerConnection(rig.redis.url), rig.prefix);
});

afterEach(() => context.close());

/** Nobody wakes a worker for what Bull Board does: it looks once a second. */
const patient = { timeout: 20_000 };
const day = 86_400_000;
const forever = { ageMs: 365 * day, count: 1000 };
const keepAll: Retention = { completed: forever, failed: forever, cancelled: forever };

describe("reconciling", () => {
  it("hands over again what Bull Board has removed, and changes nothing that is right", async () => {
    const [removed, right] = [await rig.submit(), await rig.submit("look")];
    await context.queue("make").remove(removed);
    expect(await reconcile(context)).toEqual([removed]);
    expect(await reconcile(context)).toEqual([]);
    await rig.work(succeed);
    await rig.reaches(removed, "completed");
    await rig.reaches(right, "completed");
  });

  it("hands over again what all of BullMQ has forgotten, and what it has ended by itself", async () => {
    const ids = [await rig.submit(), await rig.submit(), await rig.submit("look")];
    const [failed = ""] = ids;
    await context.queue("look").obliterate({ force: true });
    const doomed = await context.queue("make").getJob(failed);
    await context.redis.zrem(`${context.keys.bull}:make:prioritized`, failed);
    await context.redis.zadd(`${context.keys.bull}:make:failed`, Date.now(), failed);
    expect(await doomed?.getState()).toBe("failed");
    expect(await reconcile(context)).toEqual([failed, ids[2]]);
    await rig.work(succeed);
    for (const id of ids) await rig.reaches(id, "completed");
  });

  it("does not run again what ended, though Bull Board retries it", async () => {
    const id = await rig.submit();
    const execute = vi.fn<Execute>(succeed);
    await rig.work(execute);
    await rig.reaches(id, "completed");
    const job = await vi.waitFor(async () => {
      const found = await context.queue("make").getJob(id);
      expect(await found?.getState()).toBe("completed");
      return found;
    }, patient);
    await job?.retry("completed");
    await vi.waitFor(async () => expect(await job?.getState()).toBe("completed"), patient);
    expect(execute).toHaveBeenCalledTimes(1);
    expect((await rig.queue.get(id)).attemptsMade).toBe(1);
  });

  it("sees that a job which waits does not run", async () => {
    const id = await rig.submit();
    await context.redis.hset(context.keys.job(id), "running", 1, "epoch", 1);
    expect((await rig.queue.get(id)).state).toBe("running");
    expect(await reconcile(context)).toEqual([id]);
    expect(await rig.queue.get(id)).toMatchObject({ state: "waiting", lostRuns: 1 });
  });

  it("leaves running jobs alone", async () => {
    const id = await rig.submit();
    await rig.work(untilStopped);
    await rig.reaches(id, "running");
    expect(await reconcile(context)).toEqual([]);
    expect(await rig.queue.get(id)).toMatchObject({ state: "running", lostRuns: 0 });
  });
});

describe("retention", () => {
  it("removes what ended long ago, with its events, and leaves the rest", async () => {
    const open = await rig.submit("look");
    const old = await rig.submit();
    await rig.work(succeed, { kinds: ["make"] });
    const { finishedAt = "" } = await rig.reaches(old, "completed");
    await sleep(5);
    const fresh = await rig.submit();
    await rig.reaches(fresh, "completed");
    const retention = { ...keepAll, completed: { ageMs: 30 * day, count: 1000 } };
    const then = Date.parse(finishedAt) + 30 * day;
    expect(await applyRetention(context, retention, then)).toBe(0);
    expect(await applyRetention(context, retention, then + 1)).toBe(1);
    await expect(rig.queue.get(old)).rejects.toMatchObject({ code: "not_found" });
    expect(await context.redis.exists(context.keys.events(old))).toBe(0);
    expect((await rig.queue.list({ limit: 10 })).jobs.map(({ id }) => id)).toEqual([fresh, open]);
  });

  it("removes the oldest beyond the number, but none whose model a waiting job takes", async () => {
    const { jobs } = await rig.pipeline([
      { step: "a", kind: "make" },
      { step: "b", kind: "change", params: { base: "$a" } },
    ]);
    const others = [await rig.submit(), await rig.submit()];
    await rig.work(succeed, { kinds: ["make"] });
    for (const id of [jobs["a"], ...others]) await rig.reaches(id, "completed");
    const retention = { ...keepAll, completed: { ageMs: day, count: 1 } };
    expect(await applyRetention(context, retention)).toBe(1);
    await rig.work(succeed, { kinds: ["change"] });
    await rig.reaches(jobs["b"], "completed");
  });
});

describe("what a job has left in the store", () => {
  it("is removed when the job has ended, also when it was cancelled while it waited, and not before", async () => {
    const [done, waits] = [await rig.submit(), await rig.submit()];
    const first = await rig.work(
      async (envelope, handle) => {
        await handle.keep("1-1-checkpoint");
        if (envelope.id === done) return { metrics: {} };
        return untilStopped(envelope, handle);
      },
      { concurrency: 2 },
    );
    await rig.reaches(done, "completed");
    await vi.waitFor(async () => expect((await rig.queue.get(waits)).runs).toHaveLength(1), patient);
    await first.close();
    const cleared: string[] = [];
    const options = { worker: "w", retention: keepAll, clear: async (id: string) => void cleared.push(id) };
    await maintain(context, options);
    expect(cleared).toEqual([done]);
    await wishAway(context, waits);
    await rig.queue.cancel(waits);
    await maintain(context, options);
    expect(cleared).toEqual([done, waits]);
    await maintain(context, options);
    expect(cleared).toHaveLength(2);
  });
});

describe("the checkpoints of a failed job", () => {
  /** Fails a job that has kept a checkpoint. */
  async function failWith(code: ErrorCode): Promise<string> {
    const id = await rig.submit("make", 0, { attempts: 1 });
    const worker = await rig.work(async (_envelope, { keep, epoch }) => {
      await keep(`${epoch}-1-checkpoint`);
      throw new AppError(code, "it failed");
    });
    await rig.reaches(id, "failed");
    await worker.close();
    return id;
  }

  /** What the next run of a job goes on from. */
  async function retry(id: string): Promise<string[][]> {
    const seen: string[][] = [];
    await rig.queue.retry(id);
    await rig.work(async (envelope, handle) => {
      seen.push(handle.checkpoints);
      return succeed(envelope, handle);
    });
    await rig.reaches(id, "completed");
    return seen;
  }

  async function cleared(retention = keepAll): Promise<string[]> {
    return (await clearings(retention)).map(([id]) => id);
  }

  async function clearings(retention = keepAll): Promise<[string, number][]> {
    const seen: [string, number][] = [];
    await context.redis.del(context.keys.maintainer);
    await maintain(context, { worker: "w", retention, clear: async (...job) => void seen.push(job) });
    return seen;
  }

  it("stay, and a retry goes on from them", async () => {
    const id = await failWith("timeout");
    expect(await cleared()).toEqual([]);
    expect(await retry(id)).toEqual([["1-1-checkpoint"]]);
    expect(await cleared()).toEqual([id]);
  });

  it("go when it was a bad request, and a retry begins anew", async () => {
    const id = await failWith("invalid_request");
    expect(await cleared()).toEqual([id]);
    expect(await retry(id)).toEqual([[]]);
  });

  it("go only of the runs that had ended, though the worker that removes them was frozen and the job is retried meanwhile", async () => {
    const id = await failWith("invalid_request");
    const removed: [string, number][] = [];
    const clear = async (job: string, epoch: number): Promise<void> => {
      await rig.queue.retry(id);
      const worker = await rig.work(untilStopped);
      await vi.waitFor(async () => expect((await rig.queue.get(id)).runs).toHaveLength(2), patient);
      await worker.close();
      removed.push([job, epoch]);
    };
    await maintain(context, { worker: "w", retention: keepAll, clear });
    expect(removed).toEqual([[id, 1]]);
  });

  it("go with the job's record", async () => {
    const id = await failWith("internal");
    const nothing = { ageMs: 365 * day, count: 0 };
    expect(await cleared({ ...keepAll, failed: nothing })).toEqual([]);
    await expect(rig.queue.get(id)).rejects.toMatchObject({ code: "not_found" });
    expect(await clearings()).toEqual([[id, Infinity]]);
  });
});
