import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createContext, workerConnection, type Context } from "./connection.ts";
import { resultOf, succeed } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";
import { settle, sweep } from "./settle.ts";
import { end } from "./transitions.ts";

const rig = useRig();
let context: Context;

beforeEach(() => {
  context = createContext(workerConnection(rig.redis.url), rig.prefix);
});

afterEach(() => context.close());

/** Takes a job out of BullMQ, as if its submitter had died between writing it down and handing it over. */
async function loseHandover(id: string): Promise<void> {
  await context.queue("make").remove(id);
  await context.redis.zadd(context.keys.outbox, 0, id);
}

describe("what a process did not get to", () => {
  it("is handed over by a sweep: a job that was written down only", async () => {
    const id = await rig.submit();
    await loseHandover(id);
    await rig.work(succeed);
    expect((await rig.queue.get(id)).state).toBe("waiting");
    await sweep(context);
    await rig.reaches(id, "completed");
    expect(await context.redis.zcard(context.keys.outbox)).toBe(0);
  });

  it("is cancelled by a sweep: a job that was wished away only", async () => {
    const id = await rig.submit();
    await context.redis.hset(context.keys.job(id), "cancel", new Date().toISOString());
    await context.redis.zadd(context.keys.outbox, 0, id);
    await sweep(context);
    expect((await rig.queue.get(id)).state).toBe("cancelled");
  });

  it("is told to the steps behind it: that a step ended, though its worker died before it told them", async () => {
    const { jobs } = await rig.pipeline([
      { step: "a", kind: "make" },
      { step: "b", kind: "change", params: { base: "$a" } },
    ]);
    const a = jobs["a"] ?? "";
    const result = { artifact: { name: "a", version: 1, digest: "sha256:0" }, metrics: {} };
    await end(context, a, "queue", {
      state: "completed",
      at: new Date().toISOString(),
      result,
    });
    const run: string[] = [];
    await rig.work(async (started) => {
      run.push(started.kind);
      return resultOf(started);
    });
    await rig.reaches(jobs["b"], "completed");
    expect(run).toEqual(["change"]);
  });

  it("may be done twice", async () => {
    const id = await rig.submit();
    await settle(context, id);
    await settle(context, id);
    expect(await rig.queue.counts()).toMatchObject({ make: { waiting: 1 } });
    await rig.work(succeed);
    await rig.reaches(id, "completed");
    await settle(context, id);
    expect(await rig.queue.counts()).toMatchObject({ make: { waiting: 0, completed: 1 } });
  });
});
