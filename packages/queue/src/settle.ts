import { AppError } from "@whittle/contracts";
import { redisNow } from "./clock.ts";
import type { Context } from "./connection.ts";
import { bullRetention } from "./limits.ts";
import { readRecord, type JobEnd, type JobRecord } from "./record.ts";
import { wake } from "./ready.ts";
import { bullPriority } from "./turns.ts";
import { end, unblock } from "./transitions.ts";

const sweepAgeMs = 3000;

/**
 * Brings BullMQ, and the jobs that depend on this one, to what the job's record says, then takes it out of the outbox. Whoever
 * changes a record puts it there in the same transaction, so that what a process did not get to is done by another's {@link sweep}.
 * Doing it twice does no harm.
 */
export async function settle(context: Context, id: string): Promise<void> {
  const record = await readRecord(context, id);
  if (record?.place === "ended") await propagate(context, id, record);
  else if (record?.cancel !== undefined) await cancelUnlessRunning(context, id, record, record.cancel);
  else if (record?.place === "queue") await enqueue(context, record);
  await context.redis.zrem(context.keys.outbox, id);
}

async function enqueue(context: Context, { envelope, options }: JobRecord): Promise<void> {
  await context.queue(envelope.kind).add(envelope.kind, envelope, {
    jobId: envelope.id,
    priority: bullPriority(options.priority, false),
    removeOnComplete: bullRetention,
    removeOnFail: bullRetention,
  });
  await wake(context, envelope.kind);
}

/** A running job is left to its worker, which hears of the wish by message and reads it at every renewal of its claim. */
async function cancelUnlessRunning(context: Context, id: string, record: JobRecord, at: string): Promise<void> {
  if (record.place === "queue") {
    const queue = context.queue(record.envelope.kind);
    if ((await queue.remove(id)) === 0) return;
  }
  const error = new AppError("cancelled", "cancelled before it ran").toJSON();
  const how: JobEnd = { state: "cancelled", at, error };
  const from = record.place === "blocked" ? "blocked" : "queue";
  if (await end(context, id, from, how)) await propagate(context, id, { ...record, end: how });
}

/** Starts the jobs that waited for this one only, or fails all that depend on it. */
export async function propagate(context: Context, id: string, record: JobRecord): Promise<void> {
  if (record.end === undefined) return;
  for (const dependant of record.dependants) {
    if (record.end.state !== "completed") await failDependant(context, dependant, record);
    else if (await unblock(context, dependant, id)) await settle(context, dependant);
  }
}

async function failDependant(context: Context, id: string, input: JobRecord): Promise<void> {
  const { envelope, end: cause } = input;
  const name = envelope.pipeline ? `step ${envelope.pipeline.step}` : `job ${envelope.id}`;
  const why = cause?.error?.message ?? cause?.state ?? "";
  const message = `${name} ${cause?.state}: ${why}`;
  const error = new AppError("failed_dependency", message).toJSON();
  const at = new Date().toISOString();
  const how: JobEnd = { state: "failed", at, error };
  await end(context, id, "blocked", how);
  const record = await readRecord(context, id);
  if (record?.end) await propagate(context, id, record);
}

/** Settles what has lain in the outbox for some seconds, because the process that put it there died or lost Redis. */
export async function sweep(context: Context): Promise<void> {
  const { redis, keys } = context;
  const old = (await redisNow(context)) - sweepAgeMs;
  for (const id of await redis.zrangebyscore(keys.outbox, "-inf", old, "LIMIT", 0, 100)) await settle(context, id);
}
