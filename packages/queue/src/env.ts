import { cacheFolder, presentVariables } from "@whittle/contracts";
import { z } from "zod";

const schema = z
  .object({
    PATH: z.string().default(""),
    WHITTLE_REDIS_SERVER: z.string().optional(),
    WHITTLE_CACHE_DIR: z.string().optional(),
    XDG_CACHE_HOME: z.string().optional(),
  })
  .transform((env) => ({
    path: env.PATH,
    redisServer: env.WHITTLE_REDIS_SERVER,
    cacheDir: cacheFolder(env),
  }));

/** Where a redis-server program may be found on this machine. */
export type QueueEnv = z.output<typeof schema>;

export function readEnv(): QueueEnv {
  return schema.parse(presentVariables(process.env));
}
