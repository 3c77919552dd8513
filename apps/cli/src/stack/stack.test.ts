import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readConfig } from "../env.ts";
import { freePort } from "./ports.ts";
import { startStack } from "./stack.ts";

const host = "127.0.0.1";
let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "whittle-stack-"));
});

afterEach(async () => {
  await rm(home, { recursive: true });
});

it("interrupted while it starts, stops all and asks no more whether it is ready", async () => {
  const port = await freePort(host, 0);
  const config = { ...readConfig(), redisUrl: undefined, home, store: join(home, "store"), api: { host, port } };
  const signal = AbortSignal.abort();
  const start = startStack({ config, workers: 1, concurrency: 1, say: () => {}, signal });
  await expect(start).rejects.toMatchObject({ code: "cancelled" });

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
