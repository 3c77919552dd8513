import { AppError, redisAddress } from "@whittle/contracts";
import { Queue } from "bullmq";
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from "ioredis";
import { makeKeys, type Keys } from "./keys.ts";
import { silenceMs } from "./limits.ts";

/** To one server, or to the nodes of a cluster. */
export type Connection = Redis | Cluster;

/** A connection that answers at once when Redis is away, and comes back by itself. */
export function producerConnection(url: string): Connection {
  return open(url, { maxRetriesPerRequest: 1, commandTimeout: 5000 }, { enableOfflineQueue: false });
}

/** A connection whose commands wait until Redis is back. */
export function workerConnection(url: string): Connection {
  return open(url, { maxRetriesPerRequest: null }, { maxRedirections: Infinity });
}

const pause = (times: number): number => Math.min(50 * 2 ** times, 1000);

function open(
  url: string,
  each: RedisOptions,
  { enableOfflineQueue = true, ...cluster }: Pick<ClusterOptions, "enableOfflineQueue" | "maxRedirections">,
): Connection {
  const address = redisAddress(url);
  const options = { ...each, connectTimeout: 5000, socketTimeout: silenceMs };
  const redis = address.cluster
    ? new Cluster(address.urls, {
        ...cluster,
        enableOfflineQueue,
        clusterRetryStrategy: pause,
        redisOptions: { ...options, ...credentials(address.urls[0]) },
      })
    : new Redis(url, { ...options, enableOfflineQueue, retryStrategy: pause });
  // Every command reports its own failure; without a listener ioredis writes each reconnect to the console.
  redis.on("error", () => {});
  return redis;
}

/** What the nodes that the named ones tell of are to be given too. */
function credentials(url: string): RedisOptions {
  const { protocol, username, password } = new URL(url);
  return {
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
  };
}

/** What both sides of the queue work with. */
export interface Context {
  redis: Connection;
  keys: Keys;
  /** The BullMQ queue of a job kind. */
  queue: (kind: string) => Queue;
  close: () => Promise<void>;
}

export function createContext(redis: Connection, prefix: string): Context {
  const keys = makeKeys(prefix);
  const queues = new Map<string, Queue>();
  const queue = (kind: string): Queue => {
    const known = queues.get(kind);
    if (known) return known;
    const made = new Queue(kind, { connection: redis, prefix: keys.bull });
    made.on("error", () => {});
    queues.set(kind, made);
    return made;
  };
  const close = async (): Promise<void> => {
    await Promise.all([...queues.values()].map((each) => each.close().catch(() => {})));
    redis.disconnect();
  };
  return { redis, keys, queue, close };
}

/**
 * Does `work` when Redis is there.
 * @throws AppError `unavailable` when Redis is away or goes away.
 */
export async function whenReady<T>({ redis }: Context, work: () => Promise<T>): Promise<T> {
  if (redis.status !== "ready") throw new AppError("unavailable", "Redis does not answer; try again in a few seconds");
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof AppError || !isOutage(cause, redis)) throw cause;
    throw new AppError("unavailable", "Redis went away; try again in a few seconds", { cause });
  }
}

function isOutage(error: unknown, redis: Connection): boolean {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : "";
  const lost =
    /MaxRetries|Connection is closed|Command timed out|isn't writeable|ECONN|EPIPE|LOADING|MISCONF|\bOOM\b|CLUSTERDOWN|Cluster isn't ready/;
  return redis.status !== "ready" || lost.test(text);
}
