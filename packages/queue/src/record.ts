import {
  AppError,
  canonicalJson,
  isErrorCode,
  jobEnvelope,
  jobOptions,
  jobResult,
  type ErrorCode,
  type SerializedError,
} from "@whittle/contracts";
import { z } from "zod";
import type { Context } from "./connection.ts";

const serializedError = z.object({
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

export const progress = z.object({ fraction: z.number(), stage: z.string() });

/** How a job ended. */
const jobEnd = z.object({
  state: z.enum(["completed", "failed", "cancelled"]),
  at: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  worker: z.string().optional(),
  attemptsMade: z.int().default(0),
  progress: progress.default({ fraction: 0, stage: "" }),
  result: jobResult.optional(),
  error: serializedError.optional(),
});
export type JobEnd = z.infer<typeof jobEnd>;

function json<S extends z.ZodType>(schema: S) {
  return z.preprocess((text) => (typeof text === "string" ? JSON.parse(text) : text), schema);
}

/**
 * A job's hash. `place` says who knows its state: `blocked` jobs are not in BullMQ yet, for those in `queue` BullMQ knows,
 * and those that `ended` have it in `end`. It only changes by the compare-and-set scripts of transitions.ts.
 */
const jobRecord = z.object({
  place: z.enum(["blocked", "queue", "ended"]),
  envelope: json(jobEnvelope),
  options: json(jobOptions.pick({ priority: true, attempts: true })),
  /** Parameters that take the artifact of another job of the pipeline: name -> job id. */
  inputs: json(z.record(z.string(), z.string())),
  /** Jobs that take this job's artifact. */
  dependants: json(z.array(z.string())),
  end: json(jobEnd).optional(),
  /** The wish to cancel: the time of it. */
  cancel: z.string().optional(),
});
export type JobRecord = z.infer<typeof jobRecord>;

/** Reads a job's hash; undefined when there is none. */
export async function readRecord({ redis, keys }: Context, id: string): Promise<JobRecord | undefined> {
  const fields = await redis.hgetall(keys.job(id));
  return Object.keys(fields).length === 0 ? undefined : jobRecord.parse(fields);
}

/** @throws AppError `not_found`. */
export async function requireRecord(context: Context, id: string): Promise<JobRecord> {
  const found = await readRecord(context, id);
  if (!found) throw new AppError("not_found", `there is no job ${id}`);
  return found;
}

export function encodeFields(record: Pick<JobRecord, "envelope" | "options" | "inputs" | "dependants">) {
  const { envelope, options, inputs, dependants } = record;
  return {
    envelope: JSON.stringify(envelope),
    options: JSON.stringify(options),
    inputs: JSON.stringify(inputs),
    dependants: JSON.stringify(dependants),
  };
}

/** An error as BullMQ keeps it, so that Bull Board shows code and message. */
export function encodeError(error: SerializedError): string {
  return canonicalJson(error);
}
