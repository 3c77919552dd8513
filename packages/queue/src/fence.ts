import { AppError, type JobRun, type NewJobEvent } from "@whittle/contracts";
import { z } from "zod";
import type { Context } from "./connection.ts";
import { keptCheckpoints, keptRuns } from "./limits.ts";
import { prelude, run, script } from "./lua.ts";
import { parseRecord, type JobRecord } from "./record.ts";
import { stateEvent } from "./transitions.ts";

/**
 * Takes a new epoch for a job, if the worker still holds BullMQ's lock on it and nothing has decided the job. The record comes from the same
 * moment, so that no earlier run can still move the checkpoints in it.
 */
const startScript = script(`${prelude}
local lock, token, limit, json, happened = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local job = key('job', id)
if redis.call('GET', lock) ~= token then return 'unheld' end
local place = redis.call('HGET', job, 'place')
if not place then return 'unknown' end
if place ~= 'queue' then return 'ended' end
if redis.call('HGET', job, 'running') then
  redis.call('HINCRBY', job, 'losses', 1)
  redis.call('HINCRBY', job, 'strikes', 1)
  redis.call('HDEL', job, 'running')
  stepOut(id)
end
if redis.call('HEXISTS', job, 'cancel') == 1 then return 'cancelled' end
if tonumber(redis.call('HGET', job, 'strikes') or 0) >= limit then return 'quarantined' end
local epoch = redis.call('HINCRBY', job, 'epoch', 1)
redis.call('HSET', job, 'running', epoch, 'run:' .. epoch, json)
redis.call('HDEL', job, 'run:' .. (epoch - ${keptRuns}))
serve(id)
event(id, happened)
return {epoch, redis.call('HGETALL', job)}
`);

/** What the scripts below begin with: they do nothing for a run that is not the job's latest, or whose job has ended. */
const fenced = `${prelude}
local epoch = ARGV[3]
local job = key('job', id)
local held = redis.call('HMGET', job, 'place', 'epoch', 'running')
if held[1] ~= 'queue' or held[2] ~= epoch or held[3] ~= epoch then return 'stale' end
`;

const emitScript = script(`${fenced}
event(id, ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', job, 'progress', ARGV[5]) end
return ''
`);

/** Redis orders this against the wish to cancel: whichever comes first wins. */
const commitScript = script(`${fenced}
if redis.call('HEXISTS', job, 'cancel') == 1 then return 'cancelled' end
redis.call('HSET', job, 'committing', epoch)
return ''
`);

/**
 * A new checkpoint is a reason to trust the job again. Names are `<epoch>-<count>-<series>-<number>`: a job may train several times, and
 * goes on from the newest of each series. A call that is sent again, because its answer was lost with the connection, changes nothing.
 */
const keepScript = script(`${fenced}
local function seriesOf(name) return string.match(name, '^%d+%-%d+%-(.-)%-?%d*$') end
local name = ARGV[4]
local names = cjson.decode(redis.call('HGET', job, 'checkpoints') or '[]')
local kept, dropped, same = {name}, {}, 1
for _, each in ipairs(names) do
  if each ~= name then
    if seriesOf(each) == seriesOf(name) then same = same + 1 end
    if seriesOf(each) == seriesOf(name) and same > ${keptCheckpoints} then table.insert(dropped, each) else table.insert(kept, each) end
  end
end
redis.call('HSET', job, 'checkpoints', cjson.encode(kept))
redis.call('HDEL', job, 'strikes', 'failures')
return dropped
`);

const leaveScript = script(`${fenced}
redis.call('HSET', job, 'run:' .. epoch, ARGV[4])
redis.call('HDEL', job, 'running')
stepOut(id)
lineUp(id)
for at = 6, #ARGV do redis.call('HINCRBY', job, ARGV[at], 1) end
event(id, ARGV[5])
return {tonumber(redis.call('HGET', job, 'failures') or 0), tonumber(redis.call('HGET', job, 'strikes') or 0)}
`);

/** Ends a run whose worker has gone: nobody holds BullMQ's lock on the job any more. */
const loseScript = script(`${prelude}
local job = key('job', id)
if redis.call('EXISTS', ARGV[3]) == 1 or redis.call('HGET', job, 'place') ~= 'queue' then return 0 end
if redis.call('HDEL', job, 'running') == 0 then return 0 end
stepOut(id)
lineUp(id)
redis.call('HINCRBY', job, 'losses', 1)
redis.call('HINCRBY', job, 'strikes', 1)
event(id, ARGV[4])
return 1
`);

const refusal = z.enum(["unheld", "unknown", "ended", "cancelled", "quarantined"]);

/** Why a job that was taken from BullMQ is not run. `unheld`: another worker may have it. `unknown`: it is no job of ours. */
export type Refusal = z.infer<typeof refusal>;

/**
 * One run's right to change its job: every write compares the run's epoch with the job's, so that a worker that was taken for dead,
 * and comes back, changes nothing.
 */
export interface Fence {
  run: JobRun;
  /** Adds to the job's events. @returns whether the run is still the job's latest. */
  emit: (event: NewJobEvent) => Promise<boolean>;
  /**
   * Asks to publish; from then on the job can't be cancelled any more.
   * @throws AppError `cancelled` when that was wished before; `conflict` when the run is not the job's latest.
   */
  commit: () => Promise<void>;
  /**
   * Makes `name` the checkpoint that the next run goes on from, with the one before it in its series as second choice.
   * @returns the names that are not needed any more.
   * @throws AppError `conflict` when the run is not the job's latest.
   */
  keep: (name: string) => Promise<string[]>;
  /** Ends the run, but not the job: it waits again. @returns undefined when the run is not the job's latest. */
  leave: (ended: JobRun) => Promise<Setbacks | undefined>;
}

/** Runs since the job's last checkpoint that failed, and whose process or worker died. */
export interface Setbacks {
  failures: number;
  strikes: number;
}

const setbacks = z.tuple([z.int(), z.int()]);

const counters: Record<string, string[]> = {
  failed: ["attempts", "failures"],
  crashed: ["losses", "strikes"],
  lost: ["losses"],
  drained: ["drains"],
};

export interface Claim {
  id: string;
  kind: string;
  /** With which BullMQ's lock was taken. */
  token: string;
  worker: string;
  /** Lost runs without a new checkpoint after which the job is not run again. */
  quarantineAfter: number;
}

/** A run that has begun, and the job's record as it was then. */
export interface Started {
  fence: Fence;
  record: JobRecord;
}

const granted = z.tuple([z.int(), z.array(z.string())]);

/** Begins a run. @returns why the job is not to be run, if it isn't. */
export async function startRun(context: Context, claim: Claim): Promise<Started | Refusal> {
  const { id, worker } = claim;
  const begun = { worker, startedAt: new Date().toISOString() };
  const args = [lockKey(context, claim), claim.token, claim.quarantineAfter, JSON.stringify(begun)];
  const answer = await call(context, startScript, id, [...args, stateEvent("running", { worker })]);
  if (typeof answer === "string") return refusal.parse(answer);
  const [epoch, fields] = granted.parse(answer);
  return { fence: fenceOf(context, id, { ...begun, epoch }), record: parseRecord(pairs(fields)) };
}

/** A hash as scripts return it: names and values in turns. */
function pairs(list: string[]): Record<string, string> {
  return Object.fromEntries(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] ?? ""]] : [])));
}

function fenceOf(context: Context, id: string, begun: JobRun): Fence {
  const { epoch } = begun;
  const stale = () => new AppError("conflict", `run ${epoch} of job ${id} is not its latest any more`);
  return {
    run: begun,
    emit: async (event) => {
      const stored = JSON.stringify({ ...event, at: new Date().toISOString() });
      const progress =
        event.type === "progress" ? JSON.stringify({ fraction: event.fraction, stage: event.stage }) : "";
      return (await call(context, emitScript, id, [epoch, stored, progress])) !== "stale";
    },
    commit: async () => {
      const answer = await call(context, commitScript, id, [epoch]);
      if (answer === "cancelled") throw new AppError("cancelled", "cancelled before it published");
      if (answer === "stale") throw stale();
    },
    keep: async (name) => {
      const dropped = await call(context, keepScript, id, [epoch, name]);
      if (!Array.isArray(dropped)) throw stale();
      return dropped.map(String);
    },
    leave: async (ended) => {
      const { outcome = "lost", error } = ended;
      const waits = stateEvent("waiting", { error });
      const args = [epoch, JSON.stringify(ended), waits, ...(counters[outcome] ?? [])];
      const answer = await call(context, leaveScript, id, args);
      if (answer === "stale") return undefined;
      const [failures, strikes] = setbacks.parse(answer);
      return { failures, strikes };
    },
  };
}

/** Ends the run of a job whose worker has gone, unless another has it already. @returns whether it did. */
export async function loseRun(context: Context, kind: string, id: string): Promise<boolean> {
  const lost = await call(context, loseScript, id, [lockKey(context, { kind, id }), stateEvent("waiting")]);
  return lost === 1;
}

function lockKey({ keys }: Context, { kind, id }: { kind: string; id: string }): string {
  return `${keys.bull}:${kind}:${id}:lock`;
}

function call(
  { redis, keys }: Context,
  what: Parameters<typeof run>[1],
  id: string,
  args: (string | number)[],
): Promise<unknown> {
  return run(redis, what, keys.job(id), [keys.prefix, id, ...args]);
}
