import { jobResult, toAppError } from "@whittle/contracts";
import { z } from "zod";
import type { StoreDriver } from "./driver.ts";
import { readRecord } from "./records.ts";

/**
 * What a job published and returned, kept under the digest of all that went into it. It keeps nothing alive: where the artifact is gone
 * the step is done again.
 */
export const stepRecord = z.object({ jobId: z.string(), result: jobResult });

export type StepRecord = z.infer<typeof stepRecord>;

/** A record as it was seen in a listing; undefined when it is damaged, or was removed: then the step is done again. */
export async function findStep(driver: StoreDriver, key: string): Promise<StepRecord | undefined> {
  return readRecord(driver, key, stepRecord).catch((error: unknown) => {
    if (toAppError(error).code !== "corrupt") throw error;
    return undefined;
  });
}
