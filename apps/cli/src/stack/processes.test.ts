import { createServer } from "node:http";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { freePort } from "./ports.ts";
import { processes } from "./processes.ts";

const config = {
  redisUrl: "redis://127.0.0.1:6380",
  prefix: "whittle",
  store: "/data/store",
  api: { host: "127.0.0.1", port: 7700 },
  serve: { host: "127.0.0.1", port: 7701 },
  workers: 2,
  concurrency: 3,
};

describe("processes", () => {
  it("are the API, the serving app and as many workers as are wanted", () => {
    expect(processes(config).map(({ name }) => name)).toEqual(["api", "serve", "worker-1", "worker-2"]);
    expect(processes({ ...config, workers: 1 }).map(({ name }) => name)).toEqual(["api", "serve", "worker"]);
  });

  it("share the store, and all but the serving app the queue", () => {
    const env = Object.fromEntries(processes(config).map((one) => [one.name, one.env]));
    for (const one of Object.values(env)) expect(one["WHITTLE_STORE"]).toBe("/data/store");
    expect(env["api"]?.["REDIS_URL"]).toBe(config.redisUrl);
    expect(env["worker-2"]?.["REDIS_URL"]).toBe(config.redisUrl);
    expect(env["serve"]).not.toHaveProperty("REDIS_URL");
  });

  it("tell a worker how many jobs it runs at a time", () => {
    expect(processes(config).at(-1)?.command.slice(-2)).toEqual(["--concurrency", "3"]);
  });
});

describe("freePort", () => {
  it("gives the wanted port, or another one when it is taken", async () => {
    const free = await freePort("127.0.0.1", 0);
    expect(await freePort("127.0.0.1", free)).toBe(free);
    const server = createServer().listen(free, "127.0.0.1");
    await once(server, "listening");
    const other = await freePort("127.0.0.1", free);
    server.close();
    expect(other).not.toBe(free);
    expect(other).toBeGreaterThan(0);
  });
});
