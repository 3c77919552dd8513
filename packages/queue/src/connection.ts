import { AppError } from "@whittle/contracts";
import { Queue } from "bullmq";
import { Redis, type RedisOptions } from "ioredis";
import { makeKeys, type Keys } from "./keys.ts";
import { silenceMs } from "./limits.ts";

const reconnect: RedisOptions = {
  retryStrategy: (times) => Math.min(50 * 2 ** times, 1000),
  connectTimeout: 5000,
  socketTimeout: silenceMs,
};

/** A connection that answers at once when Redis is away, and comes back by itself. */
export function producerConnection(url: string): Redis {
  return open(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 5000 });
}

/** A connection whose commands wait until Redis is back. */
export function workerConnection(url: string): Redis {
  return open(url, { maxRetriesPerRequest: null });
}

function open(url: string, options: RedisOptions): Redis {
  const redis = new Redis(url, { ...reconnect, ...options });
  // Every command reports its own failure; without a listener ioredis writes each reconnect to the console.
  redis.on("error", () => {});
  return redis;
}

/** What both sides of the queue work with. */
export interface Context {
  redis: Redis;
  keys: Keys;
  /** The BullMQ queue of a job kind. */
  queue: (kind: string) => Queue;
  close: () => Promise<void>;
}

export function createContext(redis: Redis, prefix: string): Context {
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

function isOutage(error: unknown, redis: Redis): boolean {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : "";
  const lost = /MaxRetries|Connection is closed|Command timed out|isn't writeable|ECONN|EPIPE|LOADING|MISCONF|\bOOM\b/;
  return redis.status !== "ready" || lost.test(text);
}
