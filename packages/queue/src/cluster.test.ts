import { setTimeout as sleep } from "node:timers/promises";
import { toAppError, type StoredJobEvent } from "@whittle/contracts";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { createQueue } from "./queue.ts";
import { startCluster, type Cluster } from "./rig-cluster.ts";
import { catalog, resultOf, succeed, untilStopped } from "./rig-jobs.ts";
import { Rig } from "./rig.ts";

let cluster: Cluster;
const rig = new Rig();
beforeAll(async () => {
  cluster = await startCluster();
  rig.redis = { url: cluster.url, pid: 0, shared: true, close: async () => {} };
}, 60_000);
beforeEach(() => rig.open());
afterEach(() => rig.close());
afterAll(() => cluster.close());

it("runs pipelines, cancels and retries in a Redis Cluster, with all keys of an installation in one of its nodes", async () => {
  const { jobs } = await rig.pipeline([
    { step: "a", kind: "make" },
    { step: "b", kind: "change", params: { base: "$a" } },
  ]);
  const waiting = await rig.submit("look");
  await rig.queue.cancel(waiting);
  await rig.queue.retry(waiting);
  const other = createQueue({ redisUrl: cluster.url, prefix: rig.prefix, catalog, store: { id: "store" } });
  await vi.waitFor(() => other.ping(), { timeout: 20_000 });
  await other.submit({ kind: "make", params: {}, submittedBy: "another", idempotencyKey: "k" });
  await other.close();
  await rig.work(async (envelope, handle) => {
    await handle.keep("1-1-checkpoint");
    await handle.commit();
    return succeed(envelope, handle);
  });
  for (const id of [jobs["b"], waiting]) await rig.reaches(id, "completed");
  expect(await rig.queue.counts()).toMatchObject({ make: { completed: expect.any(Number) } });
  expect(await rig.queue.workers()).toHaveLength(1);
  expect((await cluster.sizes()).filter((size) => size > 0)).toHaveLength(1);
});

it("a running job is cancelled, and a drained worker hands its job over", async () => {
  const cancelled = await rig.submit("look");
  await rig.work(untilStopped);
  await rig.reaches(cancelled, "running");
  await rig.queue.cancel(cancelled);
  await rig.reaches(cancelled, "cancelled");
  const handedOver = await rig.submit("look");
  await rig.reaches(handedOver, "running");
  const [worker] = await rig.queue.workers();
  await rig.queue.drainWorker(worker?.id ?? "");
  await rig.work(succeed);
  expect(await rig.reaches(handedOver, "completed")).toMatchObject({ attemptsMade: 1 });
});

it("followers of a job get its end although their subscription was cut", async () => {
  const id = await rig.submit();
  const seen: StoredJobEvent[] = [];
  await rig.queue.subscribe(id, undefined, (event) => void seen.push(event));
  let cut = 0;
  await rig.work(async (envelope) => {
    await vi.waitFor(() => expect(cut).toBeGreaterThan(10), { timeout: 20_000 });
    return resultOf(envelope);
  });
  while ((await rig.queue.get(id)).state !== "completed") cut += await cluster.cutSubscriptions();
  await vi.waitFor(() => expect(seen.at(-1)).toMatchObject({ type: "state", state: "completed" }), { timeout: 20_000 });
});

it("answers unavailable while all nodes are away, and afterwards works with all that was accepted", async () => {
  const id = await rig.submit();
  let away = true;
  await rig.work((envelope, handle) => (away ? untilStopped(envelope, handle) : succeed(envelope, handle)), {
    lockDurationMs: 2000,
    stalledIntervalMs: 500,
  });
  await rig.reaches(id, "running");
  // Until the append-only file has everything.
  await sleep(1200);
  await cluster.restart(async () => {
    // At first the client still believes that the nodes are there.
    for (let times = 0; times < 5; times++) await expect(rig.submit()).rejects.toMatchObject({ code: "unavailable" });
    away = false;
  });
  expect(await rig.reaches(id, "completed")).toMatchObject({ attemptsMade: 1 });
});

it("goes on when the node with its keys dies and its replica takes over", async () => {
  const before = await rig.submit();
  const running = await rig.submit("look");
  let finish = (): void => {};
  const over = new Promise<void>((resolve) => (finish = resolve));
  await rig.work(async (envelope) => over.then(() => resultOf(envelope)), { concurrency: 2 });
  for (const id of [before, running]) await rig.reaches(id, "running");
  const replaced = cluster.killMasterOf(rig.prefix);
  for (let times = 0; times < 3; times++)
    expect(await rig.submit().catch(toAppError)).toSatisfy(
      (answer) => typeof answer === "string" || answer.code === "unavailable",
    );
  await replaced;
  finish();
  for (const id of [before, running]) expect(await rig.reaches(id, "completed")).toMatchObject({ attemptsMade: 1 });
  expect(await rig.reaches(await rig.submit(), "completed")).toMatchObject({ attemptsMade: 1 });
});
