import { z } from "zod";
import type { Context } from "./connection.ts";
import { run, script } from "./lua.ts";

/** BullMQ keeps delayed jobs by the time at which they are due, in ms since 1970, times 4096. */
const readyScript = script(`
local bull, now = ARGV[1], tonumber(ARGV[2])
local ready, nextMs = {}, -1
for at = 3, #ARGV do
  local queue = bull .. ':' .. ARGV[at] .. ':'
  local due = redis.call('ZRANGE', queue .. 'delayed', 0, 0, 'WITHSCORES')[2]
  local waitMs = due and math.floor(tonumber(due) / 4096) - now
  if redis.call('LLEN', queue .. 'wait') > 0 or redis.call('ZCARD', queue .. 'prioritized') > 0 or (waitMs and waitMs <= 0) then
    table.insert(ready, ARGV[at])
  elseif waitMs and (nextMs < 0 or waitMs < nextMs) then
    nextMs = waitMs
  end
end
return {ready, nextMs}
`);

const answer = z.tuple([z.array(z.string()), z.number()]);

export interface Ready {
  /** Kinds of which a job can be taken. */
  kinds: string[];
  /** Until the first delayed job of the others is due. */
  nextMs: number;
}

/** Looks at all `kinds` at once. */
export async function findReady({ redis, keys }: Context, kinds: string[]): Promise<Ready> {
  const found = await run(redis, readyScript, keys.wake, [keys.bull, Date.now(), ...kinds]);
  const [ready, nextMs] = answer.parse(found);
  return { kinds: ready, nextMs: nextMs < 0 ? Infinity : nextMs };
}

/** Tells idle workers that a job of a kind can be taken. */
export async function wake({ redis, keys }: Context, kind: string): Promise<void> {
  await redis.publish(keys.wake, kind);
}
