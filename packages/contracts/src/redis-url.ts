import { z } from "zod";

/** Where a Redis is. */
export interface RedisAddress {
  /** Whether {@link urls} are nodes of a Redis Cluster, which tell of the others. */
  cluster: boolean;
  /** `redis:` or `rediss:`; of a cluster one or several. */
  urls: [string, ...string[]];
}

/** Takes apart what {@link redisUrl} has let through. */
export function redisAddress(url: string): RedisAddress {
  const [, scheme, credentials = "", hosts = ""] = /^(rediss?)\+cluster:\/\/(.*@)?([^@]*)$/.exec(url) ?? [];
  if (scheme === undefined) return { cluster: false, urls: [url] };
  const [first = "", ...others] = hosts.split(",").map((host) => `${scheme}://${credentials}${host}`);
  return { cluster: true, urls: [first, ...others] };
}

/** A `REDIS_URL`. What is wrong is told without the text, which may hold a password. */
export const redisUrl = z.string().refine(isRedisUrl, {
  error:
    "must be redis://[user:password@]host[:port][/database] or redis+cluster://[user:password@]host:port[,host:port…] " +
    "(with TLS: rediss, rediss+cluster)",
});

function isRedisUrl(text: string): boolean {
  const { cluster, urls } = redisAddress(text);
  return urls.every((each) => {
    if (!URL.canParse(each)) return false;
    const { protocol, hostname, port, pathname } = new URL(each);
    // A cluster has one database, and no usual port.
    return /^rediss?:$/.test(protocol) && hostname !== "" && !(cluster && (port === "" || pathname.length > 1));
  });
}
