import { jobResult } from "@whittle/contracts";
import { z } from "zod";

/**
 * What a job published and returned, kept under the digest of all that went into it. It keeps nothing alive: where the artifact is gone
 * the step is done again.
 */
export const stepRecord = z.object({ jobId: z.string(), result: jobResult });

export type StepRecord = z.infer<typeof stepRecord>;
