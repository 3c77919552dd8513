import type { Context } from "./connection.ts";

export interface KindCounts {
  /** Not running and not blocked: `ready`, and those that wait for their next attempt. */
  waiting: number;
  /** What a further worker could take at once. */
  ready: number;
  /** Waits for an earlier step of its pipeline. */
  blocked: number;
  running: number;
  /** Since the beginning; these never fall. */
  completed: number;
  failed: number;
  cancelled: number;
  /** Age of the job that waits longest; 0 when none does. */
  oldestWaitingSeconds: number;
}

export async function countJobs(context: Context, kinds: string[]): Promise<Record<string, KindCounts>> {
  const finished = await context.redis.hgetall(context.keys.finished);
  const counted = kinds.map(async (kind) => [kind, await countKind(context, kind, finished)] as const);
  return Object.fromEntries(await Promise.all(counted));
}

async function countKind(context: Context, kind: string, finished: Record<string, string>): Promise<KindCounts> {
  const queue = context.queue(kind);
  const [counts, blocked, oldestWaitingSeconds] = await Promise.all([
    queue.getJobCounts("wait", "prioritized", "delayed", "active"),
    context.redis.scard(context.keys.blocked(kind)),
    oldestWaiting(context, kind),
  ]);
  const { wait = 0, prioritized = 0, delayed = 0, active = 0 } = counts;
  const total = (state: string): number => Number(finished[`${kind}:${state}`] ?? 0);
  return {
    waiting: wait + prioritized + delayed,
    ready: wait + prioritized,
    blocked,
    running: active,
    completed: total("completed"),
    failed: total("failed"),
    cancelled: total("cancelled"),
    oldestWaitingSeconds,
  };
}

/** Ids sort by time of submission, so the smallest id is the oldest. */
async function oldestWaiting({ queue }: Context, kind: string): Promise<number> {
  const ids = await queue(kind).getRanges(["wait", "prioritized"], 0, -1);
  const [oldest] = ids.toSorted();
  const job = oldest === undefined ? undefined : await queue(kind).getJob(oldest);
  return job ? Math.max(0, (Date.now() - job.timestamp) / 1000) : 0;
}
