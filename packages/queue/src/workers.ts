import { AppError, workerView, type WorkerView } from "@whittle/contracts";
import type { Context } from "./connection.ts";
import { announcementSeconds, drainWishSeconds } from "./limits.ts";
import { luaNow, run, script } from "./lua.ts";

const announceScript = script(`${luaNow}
local worker, workers, id, view, seconds = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.call('SET', worker, view, 'EX', seconds)
redis.call('ZADD', workers, now() + seconds * 1000, id)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now())
`);

/** Says that a worker is there; it holds for {@link announcementSeconds}. */
export async function announce({ redis, keys }: Context, view: WorkerView): Promise<void> {
  const args = [keys.workers, view.id, JSON.stringify(view), announcementSeconds];
  await run(redis, announceScript, keys.worker(view.id), args);
}

export async function withdraw({ redis, keys }: Context, id: string): Promise<void> {
  await redis.multi().del(keys.worker(id)).zrem(keys.workers, id).exec();
}

/** The workers that have announced themselves lately. */
export async function listWorkers({ redis, keys }: Context): Promise<WorkerView[]> {
  const ids = await redis.zrange(keys.workers, "0", "-1");
  if (ids.length === 0) return [];
  const texts = await redis.mget(ids.map((id) => keys.worker(id)));
  return texts
    .flatMap((text) => (text === null ? [] : [workerView.parse(JSON.parse(text))]))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * Asks a worker to take no more jobs and to give back those it runs; it stays, and shows itself as draining.
 * @throws AppError `not_found`.
 */
export async function drainWorker(context: Context, id: string): Promise<WorkerView> {
  const { redis, keys } = context;
  const found = (await listWorkers(context)).find((worker) => worker.id === id);
  if (!found) throw new AppError("not_found", `there is no worker ${id}`);
  await redis.multi().set(keys.drain(id), "1", "EX", drainWishSeconds).publish(keys.drained, id).exec();
  return { ...found, draining: true };
}

/** Whether somebody has asked a worker to drain. */
export async function isDrained({ redis, keys }: Context, id: string): Promise<boolean> {
  return (await redis.exists(keys.drain(id))) === 1;
}
