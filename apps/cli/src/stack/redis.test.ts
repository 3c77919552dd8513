import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort } from "./ports.ts";
import { keepRedis, type KeptRedis } from "./redis.ts";

let dir: string;
let redis: KeptRedis | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "whittle-redis-"));
});

afterEach(async () => {
  await redis?.close();
  await rm(dir, { recursive: true });
});

it("a kept Redis that is killed comes back at the same address with what was written", async () => {
  const said: string[] = [];
  redis = await keepRedis(dir, (line) => said.push(line));
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  client.on("error", () => {});
  try {
    await client.set("kept", "yes");
    const pid = Number(/process_id:(\d+)/.exec(await client.info("server"))?.[1]);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => said, { timeout: 10_000 }).toEqual([expect.stringContaining("starting it again")]);
    expect(await client.get("kept")).toBe("yes");
  } finally {
    client.disconnect();
  }
});

it("a kept Redis that is closed while it is started again is not left running", async () => {
  const said: string[] = [];
  redis = await keepRedis(dir, (line) => said.push(line));
  const client = new Redis(redis.url, { retryStrategy: () => null });
  client.on("error", () => {});
  process.kill(Number(/process_id:(\d+)/.exec(await client.info("server"))?.[1]), "SIGKILL");
  await expect.poll(() => said, { timeout: 10_000, interval: 1 }).toHaveLength(1);
  await redis.close();
  const port = Number(new URL(redis.url).port);
  for (let look = 0; look < 10; look++) {
    expect(await freePort("127.0.0.1", port)).toBe(port);
    await sleep(100);
  }
});
