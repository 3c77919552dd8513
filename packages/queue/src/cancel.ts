import { AppError } from "@whittle/contracts";
import type { Context } from "./connection.ts";
import { requireRecord } from "./record.ts";
import { settle } from "./settle.ts";
import { wishAway } from "./transitions.ts";

/**
 * Cancels a job: at once where it waits, and what depends on it fails; a running one is told, and ends within about a second.
 * Cancelling a cancelled job does nothing.
 * @throws AppError `not_found`; `conflict` when it has completed or failed, or has begun to publish.
 */
export async function cancelJob(context: Context, id: string): Promise<void> {
  const { end } = await requireRecord(context, id);
  if (end?.state === "cancelled") return;
  if (end) throw new AppError("conflict", `job ${id} has already ${end.state}`);
  if (!(await wishAway(context, id)))
    throw new AppError("conflict", `job ${id} is too far to be cancelled: it publishes`);
  await settle(context, id);
}
