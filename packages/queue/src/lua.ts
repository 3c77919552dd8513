import { createHash } from "node:crypto";
import type { Connection } from "./connection.ts";
import { maxEvents, progressWebhookMs } from "./limits.ts";

/** A Lua script that Redis keeps by its hash. */
export interface Script {
  source: string;
  sha: string;
}

export function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/**
 * Hosts' clocks may differ by minutes, so what several of them compare is told by the clock of Redis. In Lua `now()`, in ms since
 * 1970.
 */
export const luaNow = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/**
 * Whose turn it is, kept with the records. `waiting:<kind>:<submitter>`: jobs by priority, those that were nominated last;
 * `active:<kind>:<submitter>`: running ones; `turns:<kind>`: how many turns each submitter has had; `clock:<kind>`: how many the one had
 * that was served last.
 */
const turns = `
local NOMINATED = 1000000
local function who(job)
  local fields = redis.call('HMGET', key('job', job), 'kind', 'submitter', 'options')
  return fields[1], fields[2], cjson.decode(fields[3]).priority
end
local function lineUp(job)
  local kind, submitter, priority = who(job)
  if redis.call('ZCARD', key('waiting', kind, submitter)) == 0 then
    local past = tonumber(redis.call('ZSCORE', key('turns', kind), submitter) or 0)
    redis.call('ZADD', key('turns', kind), math.max(past, tonumber(redis.call('GET', key('clock', kind)) or 0)), submitter)
  end
  redis.call('ZADD', key('waiting', kind, submitter), priority, job)
end
local function nominate(kind, submitter, job)
  local at = tonumber(redis.call('ZSCORE', key('waiting', kind, submitter), job))
  if not at or at >= NOMINATED then return end
  redis.call('ZINCRBY', key('waiting', kind, submitter), NOMINATED, job)
  redis.call('SET', key('clock', kind), redis.call('ZSCORE', key('turns', kind), submitter))
  redis.call('ZINCRBY', key('turns', kind), 1, submitter)
end
local function stepOut(job)
  local kind, submitter = who(job)
  redis.call('ZREM', key('waiting', kind, submitter), job)
  redis.call('SREM', key('active', kind, submitter), job)
end
local function serve(job)
  local kind, submitter = who(job)
  nominate(kind, submitter, job)
  stepOut(job)
  redis.call('SADD', key('active', kind, submitter), job)
end
`;

/** Every script of a job begins with this. ARGV: prefix, id, then its own. */
export const prelude = `
local prefix, id = ARGV[1], ARGV[2]
local function key(...) return prefix .. ':' .. table.concat({...}, ':') end
${luaNow}
${turns}
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
  redis: Connection,
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
