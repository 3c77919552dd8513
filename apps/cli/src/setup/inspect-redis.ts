import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedisServer, startRedis } from "@whittle/queue/server";
import { AppError, redisAddress, toAppError } from "@whittle/contracts";
import { Redis } from "ioredis";
import type { Finding } from "./finding.ts";
import { withoutPassword } from "./redis.ts";
import type { Settings } from "./settings.ts";

const subject = "Redis";

/** The Redis at REDIS_URL, or one started for a moment as `whittle up` does. */
export async function inspectRedis({ redisUrl }: Settings): Promise<Finding> {
  try {
    if (redisUrl !== undefined) return judge(await ask(redisUrl), withoutPassword(redisUrl));
    return judge(await askPrivateServer(), `${await findRedisServer()}, started by whittle up`);
  } catch (error) {
    const advice = redisUrl === undefined ? "npm run setup" : "start the Redis that REDIS_URL names, or unset it";
    return { subject, status: "missing", found: toAppError(error).message, advice };
  }
}

export interface RedisSetup {
  version: string;
  appendOnly: boolean;
  evictionPolicy: string;
}

/** What a Redis says about itself: of a cluster the first of the named nodes that answers. */
async function ask(url: string): Promise<RedisSetup> {
  const { cluster, urls } = redisAddress(url);
  const [first, ...others] = urls;
  return others.reduce((asked, each) => asked.catch(() => askServer(each, cluster)), askServer(first, cluster));
}

async function askServer(url: string, cluster: boolean): Promise<RedisSetup> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5000 });
  const failed = once(client, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  try {
    await Promise.race([client.connect(), failed]);
    const info = await client.info();
    const field = (name: string): string => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1] ?? "unknown";
    if ((field("cluster_enabled") === "1") !== cluster)
      throw new AppError(
        "unavailable",
        `it is ${cluster ? "no" : "a"} node of a Redis Cluster, so REDIS_URL must begin with ${cluster ? "redis" : "redis+cluster"}://`,
      );
    return {
      version: field("redis_version"),
      appendOnly: field("aof_enabled") === "1",
      evictionPolicy: field("maxmemory_policy"),
    };
  } finally {
    client.disconnect();
  }
}

async function askPrivateServer(): Promise<RedisSetup> {
  const dir = await mkdtemp(join(tmpdir(), "whittle-doctor-"));
  const server = await startRedis({ dir });
  try {
    return await ask(server.url);
  } finally {
    await server.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Warns where jobs could be lost. */
export function judge({ version, appendOnly, evictionPolicy }: RedisSetup, where: string): Finding {
  const found = `${version} at ${where}; append-only file ${appendOnly ? "on" : "off"}, eviction policy ${evictionPolicy}`;
  const changes: string[] = [];
  if (!appendOnly) changes.push("appendonly yes, or jobs are lost when it stops");
  if (evictionPolicy !== "noeviction")
    changes.push("maxmemory-policy noeviction, or jobs are lost when its memory is full");
  if (changes.length === 0) return { subject, status: "ok", found };
  return { subject, status: "warn", found, advice: `set in redis.conf: ${changes.join("; ")}` };
}
