import type { JobEvent, JobRun, JobState } from "@whittle/contracts";
import type { Context } from "./connection.ts";
import { pipelineSeconds } from "./limits.ts";
import { prelude, run, script } from "./lua.ts";
import { keepsCheckpoints, type JobEnd } from "./record.ts";

const common = `${prelude}
local function enter(job, kind, place, needs)
  redis.call('HSET', key('job', job), 'place', place)
  redis.call('ZADD', key('jobs', 'open'), 0, job)
  if place == 'queue' then
    redis.call('ZADD', key('outbox'), now(), job)
    lineUp(job)
  else
    redis.call('SADD', key('blocked', kind), job)
    redis.call('SADD', key('needs', job), unpack(needs))
  end
end
`;

const createScript = script(`${common}
local idempotency, value, pipeline, jobs = ARGV[3], ARGV[4], ARGV[5], cjson.decode(ARGV[6])
if idempotency ~= '' then
  local seen = redis.call('GET', key('idempotency', idempotency))
  if seen then return seen end
  redis.call('SET', key('idempotency', idempotency), value, 'EX', 86400)
end
if pipeline ~= '' then redis.call('SET', key('pipeline', id), pipeline, 'EX', ${pipelineSeconds}) end
for _, job in ipairs(jobs) do
  for field, text in pairs(job.fields) do redis.call('HSET', key('job', job.id), field, text) end
  redis.call('HSET', key('job', job.id), 'kind', job.kind)
  redis.call('ZADD', key('jobs', 'all'), 0, job.id)
  enter(job.id, job.kind, #job.needs == 0 and 'queue' or 'blocked', job.needs)
  event(job.id, job.event)
end
return ''
`);

const endScript = script(`${common}
local from, state, json, happened, epoch, run, littered = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local job = key('job', id)
if redis.call('HGET', job, 'place') ~= from then return 0 end
if epoch ~= '' then
  if redis.call('HGET', job, 'epoch') ~= epoch then return 0 end
  redis.call('HSET', job, 'run:' .. epoch, run)
  if state ~= 'cancelled' then redis.call('HINCRBY', job, 'attempts', 1) end
end
redis.call('HDEL', job, 'running')
stepOut(id)
local kind = redis.call('HGET', job, 'kind')
redis.call('HSET', job, 'place', 'ended', 'end', json)
if littered == '1' and redis.call('HEXISTS', job, 'checkpoints') == 1 then redis.call('SADD', key('litter'), id) end
redis.call('DEL', key('needs', id))
redis.call('SREM', key('blocked', kind), id)
redis.call('ZREM', key('jobs', 'open'), id)
redis.call('ZADD', key('jobs', state), 0, id)
redis.call('HINCRBY', key('finished'), kind .. ':' .. state, 1)
event(id, happened)
return 1
`);

const unblockScript = script(`${common}
local input, happened = ARGV[3], ARGV[4]
redis.call('SREM', key('needs', id), input)
if redis.call('HGET', key('job', id), 'place') ~= 'blocked' or redis.call('SCARD', key('needs', id)) > 0 then return 0 end
redis.call('SREM', key('blocked', redis.call('HGET', key('job', id), 'kind')), id)
enter(id, '', 'queue')
event(id, happened)
return 1
`);

const reopenScript = script(`${common}
local needs, happened, kept = cjson.decode(ARGV[3]), ARGV[4], ARGV[5]
local job = key('job', id)
if redis.call('HGET', job, 'place') ~= 'ended' then return 0 end
if kept == '0' then redis.call('HDEL', job, 'checkpoints') end
redis.call('HDEL', job, 'end', 'cancel', 'cancelledWithPipeline', 'committing', 'progress')
redis.call('HDEL', job, 'attempts', 'losses', 'strikes', 'failures', 'drains')
redis.call('SREM', key('litter'), id)
redis.call('ZREM', key('jobs', 'failed'), id)
redis.call('ZREM', key('jobs', 'cancelled'), id)
enter(id, redis.call('HGET', job, 'kind'), #needs == 0 and 'queue' or 'blocked', needs)
event(id, happened)
return 1
`);

const wishScript = script(`${common}
local job = key('job', id)
if redis.call('HGET', job, 'place') == 'ended' or redis.call('HEXISTS', job, 'committing') == 1 then return 0 end
if ARGV[4] == '1' and redis.call('HEXISTS', job, 'cancel') == 0 then redis.call('HSET', job, 'cancelledWithPipeline', '1') end
redis.call('HSET', job, 'cancel', ARGV[3])
redis.call('ZADD', key('outbox'), now(), id)
redis.call('PUBLISH', key('cancel'), id)
return 1
`);

export interface NewJob {
  id: string;
  kind: string;
  /** Jobs whose artifacts it takes; with none it can run at once. */
  needs: string[];
  fields: Record<string, string>;
}

export interface Acceptance {
  /** The pipeline's id, or the job's. */
  id: string;
  jobs: NewJob[];
  pipeline?: string;
  idempotency?: { key: string; value: string };
}

/** Writes jobs down, all or none. @returns what the idempotency key was used for before, and then nothing is written. */
export async function create({ redis, keys }: Context, acceptance: Acceptance): Promise<string | undefined> {
  const { id, jobs, pipeline = "", idempotency } = acceptance;
  const listed = jobs.map(({ id: job, kind, needs, fields }) => {
    return { id: job, kind, needs, fields, event: stateEvent(needs.length === 0 ? "waiting" : "blocked") };
  });
  const args = [idempotency?.key ?? "", idempotency?.value ?? "", pipeline, JSON.stringify(listed)];
  const seen = await run(redis, createScript, keys.job(id), [keys.prefix, id, ...args]);
  return typeof seen === "string" && seen !== "" ? seen : undefined;
}

/** Ends a job that is still `from`, and with `ran` only while that run is its latest. @returns whether it was. */
export async function end(
  { redis, keys }: Context,
  id: string,
  from: "blocked" | "queue",
  how: JobEnd,
  ran?: JobRun,
): Promise<boolean> {
  const event = stateEvent(how.state, { worker: ran?.worker, error: how.error });
  const ofRun = [ran?.epoch ?? "", ran ? JSON.stringify(ran) : ""];
  const args = [from, how.state, JSON.stringify(how), event, ...ofRun, keepsCheckpoints(how) ? 0 : 1];
  return (await run(redis, endScript, keys.job(id), [keys.prefix, id, ...args])) === 1;
}

/**
 * Writes down the wish to cancel a job, or with `withPipeline` its whole pipeline, and tells its worker.
 * @returns false when it has ended or has begun to publish.
 */
export async function wishAway({ redis, keys }: Context, id: string, withPipeline = false): Promise<boolean> {
  const args = [new Date().toISOString(), withPipeline ? 1 : 0];
  return (await run(redis, wishScript, keys.job(id), [keys.prefix, id, ...args])) === 1;
}

/** Tells a blocked job that `input` is there. @returns whether it was the last that it waited for. */
export async function unblock({ redis, keys }: Context, id: string, input: string): Promise<boolean> {
  const args = [input, stateEvent("waiting")];
  return (await run(redis, unblockScript, keys.job(id), [keys.prefix, id, ...args])) === 1;
}

/** Makes a job that ended so wait again, for `needs` or for a worker. @returns false when it had not ended. */
export async function reopen({ redis, keys }: Context, id: string, ended: JobEnd, needs: string[]): Promise<boolean> {
  const event = stateEvent(needs.length === 0 ? "waiting" : "blocked");
  const args = [JSON.stringify(needs), event, keepsCheckpoints(ended) ? 1 : 0];
  return (await run(redis, reopenScript, keys.job(id), [keys.prefix, id, ...args])) === 1;
}

/** The event of a change of state, as the stream keeps it. */
export function stateEvent(state: JobState, more: { worker?: string | undefined; error?: unknown } = {}): string {
  const event: JobEvent = { type: "state", at: new Date().toISOString(), state, ...more };
  return JSON.stringify(event);
}
