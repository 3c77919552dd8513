import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "@whittle/queue/server";
import { afterEach, beforeEach, describe as group, expect, it } from "vitest";
import { inspect, inspectStore, judgeGpu } from "./doctor.ts";
import { describe } from "./finding.ts";
import { inspectRedis, judge } from "./inspect-redis.ts";
import { readSettings, type Settings } from "./settings.ts";

let dir: string;
let settings: Settings;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "whittle-doctor-test-"));
  settings = { ...readSettings({ WHITTLE_CACHE_DIR: join(dir, "cache") }), store: join(dir, "store") };
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

it("looks at the runtime, Redis, the store and every data set", async () => {
  const findings = await inspect(settings);
  const by = new Map(findings.map((finding) => [finding.subject, finding]));
  expect([...by.keys()]).toEqual(expect.arrayContaining(["Node", "backend", "Redis", "store", "tiny"]));
  expect(by.get("Redis")).toMatchObject({
    status: "ok",
    found: expect.stringMatching(/append-only file on.*noeviction/),
  });
  expect(by.get("store")).toMatchObject({ status: "ok" });
  expect(by.get("backend")?.found).toMatch(/\d+ threads/);
});

it("says that a store can't be written, and what to do", async () => {
  await writeFile(join(dir, "file"), "");
  expect(await inspectStore({ store: join(dir, "file/store") })).toMatchObject({
    status: "missing",
    found: expect.stringContaining(`the store in ${join(dir, "file/store")} failed: a part of that path is a file`),
    advice: expect.stringContaining("make that folder writable, or name another in WHITTLE_STORE"),
  });
});

it("asks for bucket and credentials where the store is on S3", async () => {
  const finding = await inspectStore({ store: "s3://bucket/store?regoin=eu" });
  expect(finding).toMatchObject({ status: "missing", advice: expect.stringMatching(/bucket.*AWS_ACCESS_KEY_ID/) });
  expect(finding.advice).not.toContain("folder");
});

group("Redis", () => {
  it("is looked at where REDIS_URL says, and its password is not shown", async () => {
    const server = await startRedis({ dir: join(dir, "redis") });
    try {
      const finding = await inspectRedis({ ...settings, redisUrl: server.url });
      expect(finding).toMatchObject({ status: "ok" });
      expect(finding.found).not.toContain(new URL(server.url).password);
      const asCluster = server.url.replace("redis:", "redis+cluster:");
      expect(await inspectRedis({ ...settings, redisUrl: asCluster })).toMatchObject({
        status: "missing",
        found: expect.stringContaining("no node of a Redis Cluster, so REDIS_URL must begin with redis://"),
      });
    } finally {
      await server.close();
    }
  });

  it("is missing where nothing answers", async () => {
    const finding = await inspectRedis({ ...settings, redisUrl: "redis://127.0.0.1:1" });
    expect(finding).toMatchObject({ status: "missing", found: expect.stringContaining("ECONNREFUSED") });
  });

  it.each([
    [{ appendOnly: false, evictionPolicy: "noeviction" }, "appendonly yes"],
    [{ appendOnly: true, evictionPolicy: "allkeys-lru" }, "maxmemory-policy noeviction"],
  ])("that may lose jobs (%o) is warned of", (setup, advice) => {
    const finding = judge({ version: "7.0.15", ...setup }, "here");
    expect(finding).toMatchObject({ status: "warn", advice: expect.stringContaining(advice) });
  });
});

it("warns of a GPU that is not used, and of none where there is none", () => {
  expect(judgeGpu(["NVIDIA H100"], false)).toMatchObject({ status: "warn" });
  expect(judgeGpu(["NVIDIA H100"], true)).toMatchObject({ status: "ok" });
  expect(judgeGpu([], false)).toMatchObject({ status: "ok" });
});

it("prints what was found, how long it took and what to do", () => {
  const finding = { subject: "Redis", status: "missing", found: "nothing", advice: "install it" } as const;
  expect(describe(finding, 1.25)).toMatch(/^MISS Redis +nothing \(1\.3 s\)\n +-> install it$/);
});
