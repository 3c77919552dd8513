import { describe, expect, it } from "vitest";
import { resultOf, succeed } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";

const rig = useRig();
const submittedBy = "test";

describe("submitting a job", () => {
  it("gives a waiting job with its defaults, which a worker then completes", async () => {
    const job = await rig.queue.submit({ kind: "make", params: {}, submittedBy });
    expect(job).toMatchObject({
      kind: "make",
      state: "waiting",
      params: { value: 0 },
      output: { name: `make-${job.id}` },
    });
    await rig.work(succeed);
    const done = await rig.reaches(job.id, "completed");
    expect(done.result?.artifact?.name).toBe(`make-${job.id}`);
    expect(done).toMatchObject({
      attemptsMade: 1,
      worker: expect.stringMatching(/^w-/),
      startedAt: expect.any(String),
    });
  });

  it("refuses an unknown kind and names those there are", async () => {
    await expect(rig.queue.submit({ kind: "melt", params: {}, submittedBy })).rejects.toMatchObject({
      code: "not_found",
      message: "there is no job kind melt; there are change, look, make",
    });
  });

  it("refuses parameters with the path of each that is wrong, and unknown ones by name", async () => {
    const params = { value: "x", colour: "red" };
    const refused = rig.queue.submit({ kind: "make", params, submittedBy });
    await expect(refused).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "params.value" }, { path: "params.colour" }],
    });
  });

  it("refuses a step's name outside of a pipeline", async () => {
    const refused = rig.queue.submit({ kind: "change", params: { base: "$first" }, submittedBy });
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [{ path: "params.base" }] });
  });

  it("tells the worker of a job that must run though the same was made before", async () => {
    const seen: unknown[] = [];
    await rig.work(async (envelope) => {
      seen.push(envelope.fresh);
      return resultOf(envelope);
    });
    for (const options of [{ fresh: true }, {}])
      await rig.reaches((await rig.queue.submit({ kind: "make", params: {}, options, submittedBy })).id, "completed");
    expect(seen).toEqual([true, undefined]);
  });

  it("runs jobs of lower priority number first", async () => {
    const later = await rig.submit("make", 1, { priority: 200 });
    const sooner = await rig.submit("make", 2, { priority: 5 });
    const order: string[] = [];
    await rig.work(async (envelope) => {
      order.push(envelope.id);
      return resultOf(envelope);
    });
    await rig.reaches(later, "completed");
    expect(order).toEqual([sooner, later]);
  });
});

describe("an idempotency key", () => {
  const request = { kind: "make", params: { value: 7 }, submittedBy, idempotencyKey: "k" };

  it("gives the same job for the same request, also when they come together", async () => {
    const jobs = await Promise.all(Array.from({ length: 20 }, () => rig.queue.submit(request)));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect((await rig.queue.list({ limit: 10 })).jobs).toHaveLength(1);
  });

  it("refuses another request under the same key", async () => {
    await rig.queue.submit(request);
    await expect(rig.queue.submit({ ...request, params: { value: 8 } })).rejects.toMatchObject({ code: "conflict" });
  });

  it("belongs to who sends it", async () => {
    const mine = await rig.queue.submit(request);
    const theirs = await rig.queue.submit({ ...request, submittedBy: "other" });
    expect(theirs.id).not.toBe(mine.id);
  });

  it("gives the same pipeline for the same request", async () => {
    const steps = [{ step: "one", kind: "make", params: {}, priority: 100, attempts: 3, timeoutSeconds: 60 }];
    const pipeline = { request: { steps }, submittedBy, idempotencyKey: "p" };
    const first = await rig.queue.submitPipeline(pipeline);
    expect((await rig.queue.submitPipeline(pipeline)).id).toBe(first.id);
  });
});
