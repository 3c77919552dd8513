import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { createContext, workerConnection, type Context } from "./connection.ts";
import { declaredStore, type DeclaredStore } from "./declared-store.ts";
import { createQueue, type JobQueue } from "./queue.ts";
import { catalog, succeed } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";

const rig = useRig();
const patiently = { timeout: 20_000 };

/** One more API. */
function startApi(store: DeclaredStore): JobQueue {
  const queue = createQueue({ redisUrl: rig.redis.url, prefix: rig.prefix, catalog, store });
  onTestFinished(() => queue.close());
  return queue;
}

function look(): Context {
  const context = createContext(workerConnection(rig.redis.url), rig.prefix);
  onTestFinished(() => context.close());
  return context;
}

it("a worker takes no job of an API with another store, shows it, and takes it once the API has the worker's", async () => {
  const context = look();
  startApi({ id: "a" });
  await vi.waitFor(async () => expect(await declaredStore(context)).toBe("a"), patiently);
  const id = await rig.submit();
  const asked: string[] = [];
  await rig.work(succeed, { isOwnStore: async (store) => (asked.push(store), store === "b") });
  await vi.waitFor(async () => expect(await rig.queue.workers()).toMatchObject([{ draining: true }]), patiently);
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(2), patiently);
  expect((await rig.queue.get(id)).state).toBe("waiting");
  startApi({ id: "b" });
  await rig.reaches(id, "completed");
  await vi.waitFor(async () => expect(await rig.queue.workers()).toMatchObject([{ draining: false }]), patiently);
});

it("a worker takes no more jobs from the moment when the API has another store", async () => {
  await rig.work(succeed, { isOwnStore: async (store) => store === "a" });
  await rig.reaches(await rig.submit(), "completed");
  const api = startApi({ id: "b" });
  // The first that it accepts: it has told the workers by then.
  const { id } = await vi.waitFor(
    () => api.submit({ kind: "make", params: {}, options: {}, submittedBy: "test" }),
    patiently,
  );
  await sleep(2500); // An idle worker looks each second.
  expect((await rig.queue.get(id)).state).toBe("waiting");
});

it("an API tells of its store once: one that comes later has the last word, also after a lost connection", async () => {
  const context = look();
  const replaced: string[] = [];
  const first = startApi({ id: "a", onReplaced: () => replaced.push("a") });
  await vi.waitFor(() => first.ping(), patiently);
  const second = startApi({ id: "b", onReplaced: () => replaced.push("b") });
  await vi.waitFor(() => second.ping(), patiently);
  await context.redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await vi.waitFor(() => first.ping(), patiently);
  expect(await declaredStore(context)).toBe("b");
  expect(replaced).toEqual(["b"]);
});

it("an API that starts without Redis tells of its store when Redis comes, though nobody asks it anything", async () => {
  const context = look();
  await context.redis.ping();
  process.kill(rig.redis.pid, "SIGKILL");
  await vi.waitFor(() => expect(context.redis.status).not.toBe("ready"), patiently);
  startApi({ id: "a" });
  await sleep(200);
  await rig.startRedis();
  await vi.waitFor(async () => expect(await declaredStore(context)).toBe("a"), patiently);
});
