import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { AppError } from "@whittle/contracts";
import { readEnv, type QueueEnv } from "./env.ts";

/**
 * The redis-server program to run: `WHITTLE_REDIS_SERVER`, else the first on PATH, else `bin/redis-server` in the cache folder.
 * @throws AppError `unavailable` that says what to do when there is none.
 */
export async function findRedisServer(env: QueueEnv = readEnv()): Promise<string> {
  if (env.redisServer !== undefined) {
    if (await isExecutable(env.redisServer)) return env.redisServer;
    throw new AppError("unavailable", `WHITTLE_REDIS_SERVER names ${env.redisServer}, which is not a program`);
  }
  const folders = env.path.split(delimiter).filter((folder) => folder !== "");
  for (const file of [...folders, join(env.cacheDir, "bin")].map((folder) => join(folder, "redis-server"))) {
    if (await isExecutable(file)) return file;
  }
  throw new AppError(
    "unavailable",
    "no redis-server found: install it (apt-get install redis-server, brew install redis), name one in WHITTLE_REDIS_SERVER, " +
      "or give the URL of a running Redis in REDIS_URL (docker run -p 6379:6379 redis:7 redis-server --appendonly yes)",
  );
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
