import {
  AppError,
  canonicalJson,
  isErrorCode,
  jobEnvelope,
  jobOptions,
  jobResources,
  jobResult,
  runOutcome,
  type ErrorCode,
  type JobRun,
  type SerializedError,
} from "@whittle/contracts";
import { z } from "zod";
import type { Context } from "./connection.ts";

const serializedError = z.object({
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

const progress = z.object({ fraction: z.number(), stage: z.string() });

/** How a job ended. */
const jobEnd = z.object({
  state: z.enum(["completed", "failed", "cancelled"]),
  at: z.iso.datetime(),
  result: jobResult.optional(),
  error: serializedError.optional(),
});
export type JobEnd = z.infer<typeof jobEnd>;

/** Whether what a job kept stays after its end, so that a retry goes on from it: when it failed, and not because it was a bad request. */
export function keepsCheckpoints({ state, error }: JobEnd): boolean {
  return state === "failed" && error !== undefined && new AppError(error.code, error.message).status >= 500;
}

/** A run as the record keeps it; its epoch is in the field's name. */
const jobRun = z.object({
  worker: z.string(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  outcome: runOutcome.optional(),
  error: serializedError.optional(),
  resources: jobResources.optional(),
});

const count = z.coerce.number().int().default(0);

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
  options: json(jobOptions.pick({ priority: true, attempts: true, webhook: true })),
  /** Parameters that take the artifact of another job of the pipeline: name -> job id. */
  inputs: json(z.record(z.string(), z.string())),
  /** Jobs that take this job's artifact. */
  dependants: json(z.array(z.string())),
  end: json(jobEnd).optional(),
  /** The wish to cancel: the time of it. */
  cancel: z.string().optional(),
  /** That wish was for the whole pipeline. */
  cancelledWithPipeline: z.literal("1").optional(),
  /** The epoch that was allowed to publish, after which the job can't be cancelled. */
  committing: z.coerce.number().optional(),
  /** How often it was started, and the start that is under way. */
  epoch: count,
  running: z.coerce.number().optional(),
  progress: json(progress).default({ fraction: 0, stage: "" }),
  /** Runs that completed or failed; whose process or worker died, and those of them since the last checkpoint; that a worker gave back. */
  attempts: count,
  losses: count,
  strikes: count,
  drains: count,
  /** Names in the job's scratch space, newest first. */
  checkpoints: json(z.array(z.string())).default([]),
});
export type JobRecord = z.infer<typeof jobRecord> & {
  /** The last runs, oldest first. */
  runs: JobRun[];
};

/** Reads a job's hash; undefined when there is none. */
export async function readRecord({ redis, keys }: Context, id: string): Promise<JobRecord | undefined> {
  const fields = await redis.hgetall(keys.job(id));
  return Object.keys(fields).length === 0 ? undefined : parseRecord(fields);
}

/** A job's hash, parsed. */
export function parseRecord(fields: Record<string, string>): JobRecord {
  return { ...jobRecord.parse(fields), runs: runsOf(fields) };
}

/** A run of which no end was told, and which is not under way, has lost its worker. */
function runsOf(fields: Record<string, string>): JobRun[] {
  return Object.entries(fields)
    .flatMap(([field, text]): JobRun[] => {
      const epoch = Number(/^run:(\d+)$/.exec(field)?.[1]);
      if (Number.isNaN(epoch)) return [];
      const kept = jobRun.parse(JSON.parse(text));
      const lost = kept.outcome === undefined && fields["running"] !== String(epoch);
      return [{ ...kept, epoch, ...(lost && { outcome: "lost" as const }) }];
    })
    .toSorted((a, b) => a.epoch - b.epoch);
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
    // For scripts, which can't look into the envelope as cheaply.
    submitter: envelope.submittedBy,
    ...(options.webhook && { webhook: options.webhook.url }),
  };
}

/** An error as BullMQ keeps it, so that Bull Board shows code and message. */
export function encodeError(error: SerializedError): string {
  return canonicalJson(error);
}
