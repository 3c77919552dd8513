import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { readConfig } from "../env.ts";
import { freePort } from "./ports.ts";
import { startStack, type StackOptions } from "./stack.ts";

const host = "127.0.0.1";
let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "whittle-stack-"));
});

afterEach(async () => {
  await rm(home, { recursive: true });
});

function options(port: number): Omit<StackOptions, "signal"> {
  const config = { ...readConfig(), redisUrl: undefined, home, store: join(home, "store"), api: { host, port } };
  return { config, workers: 1, concurrency: 1, say: () => {} };
}

/** Whether the private Redis still has its port. */
async function redisRuns(): Promise<boolean> {
  const record = JSON.parse(await readFile(join(home, "redis", "server.json"), "utf8"));
  const { port } = z.object({ port: z.int() }).parse(record);
  return (await freePort(host, port)) !== port;
}

it("interrupted before its processes start, starts none and stops Redis", async () => {
  const start = startStack({ ...options(await freePort(host, 0)), signal: AbortSignal.abort() });
  await expect(start).rejects.toMatchObject({ code: "cancelled" });
  expect(existsSync(join(home, "logs"))).toBe(false);
  expect(await redisRuns()).toBe(false);
});

it("that can't start its processes stops Redis", async () => {
  await writeFile(join(home, "logs"), "a file in the place of the folder");
  const start = startStack({ ...options(await freePort(host, 0)), signal: new AbortController().signal });
  await expect(start).rejects.toThrow("EEXIST");
  expect(await redisRuns()).toBe(false);
});

it("interrupted while it starts, stops all and asks no more whether it is ready", async () => {
  const port = await freePort(host, 0);
  const interruption = new AbortController();
  const start = startStack({ ...options(port), signal: interruption.signal });
  start.catch(() => {});
  await expect.poll(() => existsSync(join(home, "logs", "api.log")), { timeout: 20_000 }).toBe(true);
  interruption.abort();
  await expect(start).rejects.toMatchObject({ code: "cancelled" });
  expect(await redisRuns()).toBe(false);

  const asked: (string | undefined)[] = [];
  const server = createServer(({ url }, response) => {
    asked.push(url);
    response.end();
  }).listen(port, host);
  await once(server, "listening");
  await sleep(500);
  server.closeAllConnections();
  server.close();
  expect(asked).toEqual([]);
});
