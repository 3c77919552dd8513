import type { Context } from "./connection.ts";
import { reconcileEveryMs } from "./limits.ts";
import { readRecord } from "./record.ts";
import { reconcile } from "./reconcile.ts";
import { applyRetention, type Retention } from "./retention.ts";
import { sweep } from "./settle.ts";

export interface MaintenanceOptions {
  /** Who does it, for a look into Redis. */
  worker: string;
  retention: Retention;
  /** Removes what the runs of an ended job up to `epoch` have left elsewhere; a later one, of a job that was retried meanwhile, still needs its own. */
  clear: (id: string, epoch: number) => Promise<void>;
}

/** What workers do beside the jobs, every few seconds; the costly part is done by one of them at a time. */
export async function maintain(context: Context, { worker, retention, clear }: MaintenanceOptions): Promise<void> {
  const { redis, keys } = context;
  await sweep(context);
  await clearLitter(context, clear);
  if ((await redis.set(keys.maintainer, worker, "PX", reconcileEveryMs, "NX")) === null) return;
  await reconcile(context);
  await applyRetention(context, retention);
}

/** An ended job that has left something, which no retry needs, stands in the list until it is gone, whoever dies in between. */
async function clearLitter(context: Context, clear: MaintenanceOptions["clear"]): Promise<void> {
  const { redis, keys } = context;
  for (const id of await redis.smembers(keys.litter)) {
    const record = await readRecord(context, id);
    // Without a record it is a job that no one can retry.
    if (record?.place !== "queue") await clear(id, record?.epoch ?? Infinity);
    await redis.srem(keys.litter, id);
  }
}
