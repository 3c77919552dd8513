import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { expect, it, vi } from "vitest";
import { createQueue } from "./queue.ts";
import { Rig } from "./rig.ts";
import { catalog, succeed } from "./rig-jobs.ts";
import { findRedisServer } from "./server.ts";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address ? address.port : 0;
}

/** A Redis Cluster of one node, which refuses what touches keys of two slots. */
async function startCluster(dir: string): Promise<{ url: string; close: () => Promise<void> }> {
  const port = await freePort();
  const cluster = ["--cluster-enabled", "yes", "--cluster-port", String(await freePort()), "--bind", "127.0.0.1"];
  const server = spawn(await findRedisServer(), ["--port", String(port), "--dir", dir, ...cluster], {
    stdio: "ignore",
  });
  const redis = new Redis(port, { maxRetriesPerRequest: null });
  redis.on("error", () => {});
  await redis.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await vi.waitFor(async () => expect(await redis.call("CLUSTER", "INFO")).toContain("cluster_state:ok"), 20_000);
  await expect(redis.mget("a", "b")).rejects.toThrow("CROSSSLOT");
  redis.disconnect();
  const close = async (): Promise<void> => {
    server.kill("SIGKILL");
    await once(server, "exit");
  };
  return { url: `redis://127.0.0.1:${port}`, close };
}

it("all of the queue's keys lie in one slot of a Redis Cluster", async () => {
  const dir = await mkdtemp(join(tmpdir(), "whittle-cluster-"));
  const cluster = await startCluster(dir);
  const rig = new Rig();
  rig.redis = { url: cluster.url, pid: 0, shared: true, close: cluster.close };
  await rig.open();
  try {
    const { jobs } = await rig.pipeline([
      { step: "a", kind: "make" },
      { step: "b", kind: "change", params: { base: "$a" } },
    ]);
    const cancelled = await rig.submit("look");
    await rig.queue.cancel(cancelled);
    await rig.queue.retry(cancelled);
    const other = createQueue({ redisUrl: cluster.url, prefix: rig.prefix, catalog });
    await vi.waitFor(() => other.ping());
    await other.submit({ kind: "make", params: {}, submittedBy: "another", idempotencyKey: "k" });
    await other.close();
    await rig.work(async (envelope, handle) => {
      await handle.keep("1-1-checkpoint");
      await handle.commit();
      return succeed(envelope, handle);
    });
    for (const id of [jobs["b"], cancelled]) await rig.reaches(id, "completed");
    expect(await rig.queue.counts()).toMatchObject({ make: { completed: expect.any(Number) } });
    expect(await rig.queue.workers()).toHaveLength(1);
  } finally {
    await rig.close();
    await cluster.close();
    await rm(dir, { recursive: true, force: true });
  }
});
