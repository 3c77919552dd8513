import { redisNow } from "./clock.ts";
import type { Context } from "./connection.ts";
import { firstIdAt } from "./ids.ts";
import { prelude, run, script } from "./lua.ts";
import { readRecord, type JobEnd, type JobRecord } from "./record.ts";

/** For each way to end: how long an ended job is kept, in ms, and how many, of which the oldest go first. */
export type Retention = Record<JobEnd["state"], { ageMs: number; count: number }>;

const dropScript = script(`${prelude}
local job = key('job', id)
local place = redis.call('HGET', job, 'place')
if place and place ~= 'ended' then return 0 end
if redis.call('HEXISTS', job, 'checkpoints') == 1 then redis.call('SADD', key('litter'), id) end
redis.call('DEL', job, key('events', id), key('needs', id))
for _, which in ipairs({'all', 'open', 'completed', 'failed', 'cancelled'}) do redis.call('ZREM', key('jobs', which), id) end
return 1
`);

/** Ended jobs that are looked at in one go, for each state. */
const batch = 1000;

/**
 * Removes records and events of ended jobs; what they kept in the store is litter from then on. A job that has not ended, and one whose
 * artifact a job that has not ended takes, is never touched.
 * @returns how many were removed.
 */
export async function applyRetention(context: Context, retention: Retention, now?: number): Promise<number> {
  const time = now ?? (await redisNow(context));
  let removed = 0;
  for (const state of ["completed", "failed", "cancelled"] as const) {
    const { ageMs, count } = retention[state];
    const old = await endedBefore(context, state, time - ageMs);
    const many = await beyond(context, state, count);
    for (const id of new Set([...old, ...many])) removed += await drop(context, id);
  }
  return removed;
}

/** Ids lie in the order of submission: what was submitted after `time` has not ended before it. */
async function endedBefore(context: Context, state: JobEnd["state"], time: number): Promise<string[]> {
  const { redis, keys } = context;
  const ids = await redis.zrangebylex(keys.index(state), "-", `(${firstIdAt(time)}`, "LIMIT", 0, batch);
  const records = await Promise.all(ids.map((id) => readRecord(context, id)));
  return ids.filter((_id, at) => Date.parse(records[at]?.end?.at ?? "1970-01-01") < time);
}

async function beyond({ redis, keys }: Context, state: JobEnd["state"], count: number): Promise<string[]> {
  const over = (await redis.zcard(keys.index(state))) - count;
  return over > 0 ? redis.zrange(keys.index(state), 0, String(Math.min(over, batch) - 1)) : [];
}

async function drop(context: Context, id: string): Promise<number> {
  const { redis, keys } = context;
  const record = await readRecord(context, id);
  if (record && (await isTaken(context, record))) return 0;
  if (record) await context.queue(record.envelope.kind).remove(id);
  return Number(await run(redis, dropScript, keys.job(id), [keys.prefix, id]));
}

async function isTaken(context: Context, { dependants }: JobRecord): Promise<boolean> {
  const records = await Promise.all(dependants.map((id) => readRecord(context, id)));
  return records.some((record) => record !== undefined && record.place !== "ended");
}
