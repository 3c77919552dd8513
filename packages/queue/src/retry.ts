import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import type { Context } from "./connection.ts";
import { readRecord, requireRecord, type JobRecord } from "./record.ts";
import { settle } from "./settle.ts";
import { reopen } from "./transitions.ts";

/**
 * Runs a failed or cancelled job again, with all its attempts, a failed one from its last checkpoint; the later steps of its pipeline that
 * failed because of it, or were cancelled with the whole pipeline, wait again.
 * @throws AppError `not_found`; `conflict` when it has not ended, has completed, or takes from a step that has not completed.
 */
export async function retryJob(context: Context, id: string): Promise<void> {
  const record = await requireRecord(context, id);
  if (record.end === undefined) throw new AppError("conflict", `job ${id} has not ended`);
  if (record.end.state === "completed")
    throw new AppError("conflict", `job ${id} has completed; submit it again instead`);
  for (const input of Object.values(record.inputs)) {
    const from = await readRecord(context, input);
    if (from?.end?.state === "completed") continue;
    const step = from?.envelope.pipeline?.step ?? input;
    throw new AppError(
      "conflict",
      `job ${id} takes from step ${step} (${input}), which has not completed: retry that one`,
    );
  }
  await forget(context, record);
  // Dependants first: were this process to die in between, the job is still one that can be retried.
  await reopenDependants(context, record, new Set([id]));
  if (await reopen(context, id, record.end, [])) await settle(context, id);
}

async function reopenDependants(context: Context, record: JobRecord, opened: Set<string>): Promise<void> {
  for (const id of record.dependants) {
    const dependant = await readRecord(context, id);
    if (dependant?.end === undefined || !followsItsInputs(dependant) || opened.has(id)) continue;
    const needs = await openInputs(context, dependant, opened);
    if (needs === undefined) continue;
    opened.add(id);
    await reopen(context, id, dependant.end, needs);
    await reopenDependants(context, dependant, opened);
  }
}

/** Whether a job ended only because something else of its pipeline did, or all of it was cancelled. */
function followsItsInputs({ end, cancelledWithPipeline }: JobRecord): boolean {
  if (end?.state === "cancelled") return cancelledWithPipeline !== undefined;
  return end?.error?.code === "failed_dependency";
}

/** The inputs that have still to come; undefined when one has failed and is not run again. */
async function openInputs(context: Context, record: JobRecord, opened: Set<string>): Promise<string[] | undefined> {
  const needs: string[] = [];
  for (const id of new Set(Object.values(record.inputs))) {
    const state = (await readRecord(context, id))?.end?.state;
    if (state === "completed") continue;
    if (state !== undefined && !opened.has(id)) return undefined;
    needs.push(id);
  }
  return needs;
}

/** Takes the finished run out of BullMQ, which otherwise would not take the id again. */
async function forget(context: Context, { envelope }: JobRecord): Promise<void> {
  for (let tries = 0; tries < 40; tries++) {
    if ((await context.queue(envelope.kind).remove(envelope.id)) !== 0) return;
    await sleep(50); // Its worker has written the end down and is about to tell BullMQ.
  }
  throw new AppError("conflict", `job ${envelope.id} is still held by its worker; try again in a few seconds`);
}
