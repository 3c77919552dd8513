import type { Context } from "./connection.ts";
import { prelude, run, script } from "./lua.ts";

const nominateScript = script(`${prelude}
local kind = ARGV[3]
local best, fewest, busy = nil, nil, 0
for _, submitter in ipairs(redis.call('ZRANGE', key('turns', kind), 0, -1)) do
  if redis.call('ZCARD', key('waiting', kind, submitter)) > 0 then
    busy = busy + 1
    local running = redis.call('SCARD', key('active', kind, submitter))
    if not best or running < fewest then best, fewest = submitter, running end
  end
end
if busy < 2 then return '' end
local job = redis.call('ZRANGE', key('waiting', kind, best), 0, 0)[1]
nominate(kind, best, job)
return job
`);

/** What BullMQ runs first. Jobs are handed to it with the priorities after this one. */
const nominated = 1;

/** What BullMQ orders a job by: of jobs with one priority those that have run before, and lost that run, come first. */
export function bullPriority(priority: number, ran: boolean): number {
  return nominated + 2 * priority - (ran ? 1 : 0);
}

/**
 * Lets the next job of a kind be that of the submitter whose turn it is: who has the fewest jobs running, and among those who has had
 * the fewest turns (start-time fair queueing, Goyal, Vin and Cheng 1996: who comes, or comes back, has as many as who was
 * served last). The submitter's own jobs go by priority, then by age. With one submitter BullMQ's order is that already.
 */
export async function nominateNext({ redis, keys, queue }: Context, kind: string): Promise<void> {
  const id = await run(redis, nominateScript, keys.job(kind), [keys.prefix, "", kind]);
  if (typeof id !== "string" || id === "") return;
  // It is not there while it is handed over: then its turn comes with the submitter's next.
  const job = await queue(kind).getJob(id);
  await job?.changePriority({ priority: nominated });
}
