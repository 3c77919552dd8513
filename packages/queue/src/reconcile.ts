import type { Context } from "./connection.ts";
import { loseRun } from "./fence.ts";
import { readRecord, type JobRecord } from "./record.ts";
import { settle } from "./settle.ts";

const page = 200;

/**
 * Brings BullMQ back to what the records say, after somebody used Bull Board's buttons or Redis lost its last second: an open job that BullMQ
 * does not know, or has finished, is handed over again; one that is marked as running though it waits has lost its worker. What BullMQ
 * has and a record has not is ended by the worker that takes it. @returns the ids of the jobs that were wrong.
 */
export async function reconcile(context: Context): Promise<string[]> {
  const { redis, keys } = context;
  const wrong: string[] = [];
  for (let from = "-"; ;) {
    const ids = await redis.zrangebylex(keys.index("open"), from, "+", "LIMIT", 0, page);
    for (const repaired of await Promise.all(ids.map((id) => repair(context, id)))) wrong.push(...repaired);
    const last = ids.at(-1);
    if (last === undefined || ids.length < page) return wrong;
    from = `(${last}`;
  }
}

async function repair(context: Context, id: string): Promise<string[]> {
  const before = await readRecord(context, id);
  if (before?.place !== "queue") return [];
  const { kind } = before.envelope;
  const state = await context.queue(kind).getJobState(id);
  if (state === "active") return [];
  // A job that started, ended or waits again meanwhile is looked at next time.
  const record = await readRecord(context, id);
  if (!record || !isSame(before, record)) return [];
  const waits = state === "waiting" || state === "prioritized" || state === "delayed";
  if (waits) return record.running !== undefined && (await loseRun(context, kind, id)) ? [id] : [];
  if (state !== "unknown") await context.queue(kind).remove(id);
  if (record.running !== undefined) await loseRun(context, kind, id);
  await settle(context, id);
  return [id];
}

function isSame(a: JobRecord, b: JobRecord): boolean {
  return a.place === b.place && a.epoch === b.epoch && a.running === b.running;
}
