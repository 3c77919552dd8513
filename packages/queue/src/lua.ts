import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { maxEvents, progressWebhookMs } from "./limits.ts";

/** A Lua script that Redis keeps by its hash. */
export interface Script {
  source: string;
  sha: string;
}

export function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/** Every script of a job begins with this. ARGV: prefix, now (ms since 1970), id, then its own. */
export const prelude = `
local prefix, now, id = ARGV[1], ARGV[2], ARGV[3]
local function key(...) return prefix .. ':' .. table.concat({...}, ':') end
local function event(job, json)
  redis.call('XADD', key('events', job), 'MAXLEN', '~', ${maxEvents}, '*', 'e', json)
  redis.call('PUBLISH', key('nudge'), job)
  if redis.call('HEXISTS', key('job', job), 'webhook') == 1 then
    local progress = string.find(json, '"type":"progress"', 1, true)
    if progress and not redis.call('SET', key('told', job), '1', 'NX', 'PX', ${progressWebhookMs}) then return end
    if progress or string.find(json, '"type":"state"', 1, true) then
      redis.call('XADD', key('webhooks'), '*', 'job', job, 'event', json)
    end
  end
end
`;

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
