import { z } from "zod";
import type { Context } from "./connection.ts";
import { maxBackoffMs } from "./limits.ts";
import { luaNow, run, script } from "./lua.ts";

/** BullMQ keeps delayed jobs by the time at which they are due, in ms since 1970, times 4096. */
const score = 4096;

/**
 * ARGV[2]: what this process takes for now, and so does BullMQ here. `late`: kinds and jobs that are due, and would not be for BullMQ. A
 * pause longer than any comes of a worker with another clock that died before {@link setPause}.
 */
const readyScript = script(`${luaNow}
local bull, here = ARGV[1], tonumber(ARGV[2])
local ready, late, nextMs = {}, {}, -1
for at = 3, #ARGV do
  local queue = bull .. ':' .. ARGV[at] .. ':'
  local first, due = unpack(redis.call('ZRANGE', queue .. 'delayed', 0, 0, 'WITHSCORES'))
  local dueMs = due and math.floor(tonumber(due) / ${score})
  local waitMs = dueMs and dueMs - now()
  if waitMs and waitMs > ${maxBackoffMs} then waitMs = 0 end
  if waitMs and waitMs <= 0 and dueMs > here then
    table.insert(late, {ARGV[at], first})
  end
  if redis.call('LLEN', queue .. 'wait') > 0 or redis.call('ZCARD', queue .. 'prioritized') > 0 or (waitMs and waitMs <= 0) then
    table.insert(ready, ARGV[at])
  elseif waitMs and (nextMs < 0 or waitMs < nextMs) then
    nextMs = waitMs
  end
end
return {ready, late, nextMs}
`);

const answer = z.tuple([z.array(z.string()), z.array(z.tuple([z.string(), z.string()])), z.number()]);

const dueScript = script(`${luaNow}
redis.call('ZADD', KEYS[1], 'XX', (now() + tonumber(ARGV[2])) * ${score}, ARGV[1])
`);

export interface Ready {
  /** Kinds of which a job can be taken. */
  kinds: string[];
  /** Until the first delayed job of the others is due. */
  nextMs: number;
}

/** Looks at all `kinds` at once. */
export async function findReady({ redis, keys, queue }: Context, kinds: string[]): Promise<Ready> {
  const found = await run(redis, readyScript, keys.wake, [keys.bull, Date.now(), ...kinds]);
  const [ready, late, nextMs] = answer.parse(found);
  // Another worker may be quicker.
  for (const [kind, id] of late) await (await queue(kind).getJob(id))?.promote().catch(() => {});
  return { kinds: ready, nextMs: nextMs < 0 ? Infinity : nextMs };
}

/** Lets a delayed job wait for `pauseMs` by the clock of Redis; BullMQ goes by that of the host. */
export async function setPause({ redis, keys }: Context, kind: string, id: string, pauseMs: number): Promise<void> {
  await run(redis, dueScript, `${keys.bull}:${kind}:delayed`, [id, Math.round(pauseMs)]);
}

/** Tells idle workers that a job of a kind can be taken. */
export async function wake({ redis, keys }: Context, kind: string): Promise<void> {
  await redis.publish(keys.wake, kind);
}
