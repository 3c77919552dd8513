import { createHash } from "node:crypto";
import type { Redis } from "ioredis";

/** A Lua script that Redis keeps by its hash. */
export interface Script {
  source: string;
  sha: string;
}

export function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/** Runs a script; `key` is where it belongs, `args` are what it takes. Sends the source when Redis does not have it (any more). */
export async function run(
  redis: Redis,
  { source, sha }: Script,
  key: string,
  args: (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha, 1, key, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return redis.eval(source, 1, key, ...args);
  }
}
