import { AppError, toAppError } from "@whittle/contracts";
import type { Context } from "./connection.ts";
import { requireRecord } from "./record.ts";
import { settle } from "./settle.ts";
import { wishAway } from "./transitions.ts";
import { pipelineView } from "./view.ts";

/**
 * Cancels a job: at once where it waits, and what depends on it fails; a running one is told, and ends within about a second.
 * Cancelling a cancelled job does nothing.
 * @throws AppError `not_found`; `conflict` when it has completed or failed, or has begun to publish.
 */
export async function cancelJob(context: Context, id: string, { withPipeline = false } = {}): Promise<void> {
  const { end } = await requireRecord(context, id);
  if (end?.state === "cancelled") return;
  if (end) throw new AppError("conflict", `job ${id} has already ${end.state}`);
  if (!(await wishAway(context, id, withPipeline)))
    throw new AppError("conflict", `job ${id} is too far to be cancelled: it publishes`);
  await settle(context, id);
}

/**
 * Cancels the steps of a pipeline that have not ended, the last first, so that none fails for want of what an earlier one makes. A step that
 * ends or publishes meanwhile has done so. When one is retried, those behind it go on too.
 * @throws AppError `not_found`; `conflict` when there is nothing to cancel.
 */
export async function cancelPipeline(context: Context, id: string): Promise<void> {
  const { state, steps } = await pipelineView(context, id);
  let cancelled = steps.some((step) => step.state === "cancelled");
  for (const job of await dependantsFirst(context, steps)) {
    try {
      await cancelJob(context, job, { withPipeline: true });
      cancelled = true;
    } catch (error) {
      if (toAppError(error).code !== "conflict") throw error;
    }
  }
  if (!cancelled) throw new AppError("conflict", `pipeline ${id} has already ${state}`);
}

async function dependantsFirst(context: Context, jobs: { id: string }[]): Promise<Set<string>> {
  const sorted = new Set<string>();
  const add = async (id: string): Promise<void> => {
    if (sorted.has(id)) return;
    for (const dependant of (await requireRecord(context, id)).dependants) await add(dependant);
    sorted.add(id);
  };
  for (const { id } of jobs) await add(id);
  return sorted;
}
