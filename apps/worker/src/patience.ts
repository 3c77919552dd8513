import { setTimeout as sleep } from "node:timers/promises";
import { toAppError } from "@whittle/contracts";

/** The store's driver for S3 has tried each of these times for some seconds itself. */
const unavailablePausesMs = [250, 500, 1000, 2000];

/**
 * Does what needs the store, and does it again after each of the pauses (in ms) while the store is unavailable: most often it is back
 * sooner than a run that failed would come again.
 * @throws what `work` threw last; the signal's reason when it is aborted in a pause.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  [pauseMs, ...later]: number[] = unavailablePausesMs,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (pauseMs === undefined || toAppError(error).code !== "unavailable") throw error;
  }
  await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  return patiently(work, signal, later);
}
