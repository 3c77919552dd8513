import { AppError } from "@whittle/contracts";
import type { Context } from "./connection.ts";
import { requireRecord } from "./record.ts";
import { settle } from "./settle.ts";

/**
 * Cancels a job: at once where it waits, and what depends on it fails; a running one is told, and ends within about a second.
 * Cancelling a cancelled job does nothing.
 * @throws AppError `not_found`; `conflict` when it has completed or failed.
 */
export async function cancelJob(context: Context, id: string): Promise<void> {
  const record = await requireRecord(context, id);
  if (record.end?.state === "cancelled") return;
  if (record.end) throw new AppError("conflict", `job ${id} has already ${record.end.state}`);
  const { redis, keys } = context;
  await redis
    .multi()
    .hset(keys.job(id), "cancel", new Date().toISOString())
    .zadd(keys.outbox, Date.now(), id)
    .publish(keys.cancel, id)
    .exec();
  await settle(context, id);
}
