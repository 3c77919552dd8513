import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findRedisServer, startRedis, type RedisServer } from "./server.ts";

let dir: string;
const servers: RedisServer[] = [];

async function start(options: Partial<Parameters<typeof startRedis>[0]> = {}): Promise<RedisServer> {
  const server = await startRedis({ dir, ...options });
  servers.push(server);
  return server;
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "whittle-redis-"));
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await rm(dir, { recursive: true, force: true });
});

async function withClient<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  client.on("error", () => {});
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

describe("startRedis", () => {
  it("runs with an append-only file synced every second and without eviction", async () => {
    const { url } = await start();
    const settings = await withClient(url, (client) =>
      Promise.all(["appendonly", "appendfsync", "maxmemory-policy", "bind"].map((name) => client.config("GET", name))),
    );
    expect(settings.map((setting) => setting[1])).toEqual(["yes", "everysec", "noeviction", "127.0.0.1"]);
  });

  it("refuses who does not know its password", async () => {
    const { url } = await start();
    const open = new URL(url);
    open.password = "";
    await expect(withClient(open.href, (client) => client.get("x"))).rejects.toThrow(/NOAUTH/);
  });

  it("keeps what was written and its URL over a stop and a start", async () => {
    const first = await start();
    await withClient(first.url, (client) => client.set("kept", "yes"));
    await first.close();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(second.pid).not.toBe(first.pid);
    expect(await withClient(second.url, (client) => client.get("kept"))).toBe("yes");
  });

  it("uses the server that already runs on the folder", async () => {
    const first = await start();
    const second = await start();
    expect(second).toMatchObject({ url: first.url, pid: first.pid });
  });

  it("stops the server with close, and a second close does nothing", async () => {
    const server = await start();
    await server.close();
    await server.close();
    expect(() => process.kill(server.pid, 0)).toThrow(/ESRCH/);
  });

  it("says what redis-server said when it does not start", async () => {
    const other = await startRedis({ dir: join(dir, "other") });
    servers.push(other);
    const port = Number(new URL(other.url).port);
    await expect(start({ port })).rejects.toThrow(/redis-server did not start.*in use/i);
  });
});

describe("findRedisServer", () => {
  it("says what to do when there is none", async () => {
    await expect(findRedisServer({ path: dir, redisServer: undefined, cacheDir: dir })).rejects.toThrow(
      /apt-get install redis-server.*REDIS_URL/,
    );
  });

  it("takes an empty WHITTLE_REDIS_SERVER for none", async () => {
    vi.stubEnv("WHITTLE_REDIS_SERVER", "");
    expect(await findRedisServer()).toMatch(/redis-server$/);
    vi.unstubAllEnvs();
  });

  it("refuses a WHITTLE_REDIS_SERVER that is no program", async () => {
    await expect(findRedisServer({ path: dir, redisServer: join(dir, "no"), cacheDir: dir })).rejects.toThrow(
      /WHITTLE_REDIS_SERVER/,
    );
  });
});
