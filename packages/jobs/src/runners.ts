import {
  AppError,
  modelReferences,
  parse,
  replaceReferences,
  type JobDefinition,
  type JobEnvelope,
  type JobResult,
  type NewJobEvent,
} from "@whittle/contracts";
import type { ArtifactStore } from "@whittle/store";
import { z } from "zod";
import { catalog } from "./catalog.ts";
import { runners } from "./generated/runners.ts";
import { abortError, stopIfAborted, type JobContext, type JobOutcome } from "./shared/context.ts";

export type { JobContext, JobOutcome } from "./shared/context.ts";

/** What the process that runs a job gives it. */
export interface JobHost {
  store: ArtifactStore;
  /** Stops the job; an AppError as its reason is what the job fails with, else `cancelled`. */
  signal: AbortSignal;
  emit: (event: NewJobEvent) => void;
  /** This run's own folder. It is empty, but for the checkpoint that the run goes on from. */
  workDir: string;
  /** Makes a file of the folder the checkpoint that the next run goes on from, wherever that runs. */
  keep?: (path: string) => Promise<void>;
  /** Counts the job's starts; it is written down with what is published. */
  epoch?: number;
  /** @throws AppError when this run must not publish any more. */
  mayPublish?: () => Promise<void>;
  /** Folders that hold data sets, looked in before the usual places. */
  datasetDirs?: string[];
}

interface Runner {
  run(params: unknown, context: JobContext): Promise<JobOutcome>;
}

const lazyRunners: Readonly<Record<string, () => Promise<Runner>>> = runners;

/**
 * Runs one job of any kind and publishes what it made. The kind's code, and TensorFlow with it, is loaded only now.
 * @throws AppError `unsupported` for a kind that is not in the catalog, `invalid_request` for wrong parameters, `not_found` for a
 * model that is not in the store, what `host.signal` was aborted with, and whatever the kind itself refuses.
 */
export async function runJob(envelope: JobEnvelope, host: JobHost): Promise<JobResult> {
  const { kind } = envelope;
  const definition = catalog[kind];
  const load = lazyRunners[kind];
  if (definition === undefined || load === undefined) {
    const known = Object.keys(catalog).join(", ");
    throw new AppError("unsupported", `this worker has no job kind "${kind}"; it has ${known}`);
  }
  try {
    stopIfAborted(host.signal);
    const params = await resolveModels(definition, envelope.params, host.store);
    const outcome = await (await load()).run(params, contextOf(host));
    stopIfAborted(host.signal);
    return definition.publishes ? await publish(envelope, outcome, host) : { metrics: outcome.metrics };
  } catch (error) {
    throw host.signal.aborted ? abortError(host.signal) : error;
  }
}

const fields = z.record(z.string(), z.unknown());

/** Parses the parameters and puts digests in the place of names, so that they say the same for ever. */
async function resolveModels(definition: JobDefinition, raw: unknown, store: ArtifactStore): Promise<unknown> {
  const params = fields.parse(parse(definition.params, raw, `A ${definition.kind} job`, "params"));
  const digests = await Promise.all(
    modelReferences(definition, params).map(async ({ param, reference }) => {
      const { digest } = await store.resolve(reference);
      return [param, digest] as const;
    }),
  );
  return replaceReferences(params, Object.fromEntries(digests));
}

function contextOf({ store, signal, workDir, datasetDirs = [], emit, keep = async () => {} }: JobHost): JobContext {
  return {
    store,
    signal,
    workDir,
    datasetDirs,
    keep,
    progress: (fraction, stage) => emit({ type: "progress", fraction: Math.min(1, Math.max(0, fraction)), stage }),
    log: (level, message) => emit({ type: "log", level, message }),
    metrics: (series, step, values) => emit({ type: "metrics", series, step, values }),
  };
}

async function publish(
  envelope: JobEnvelope,
  outcome: JobOutcome,
  { store, epoch, mayPublish }: JobHost,
): Promise<JobResult> {
  const { id, kind, output, submittedBy } = envelope;
  if (outcome.artifact === undefined) throw new AppError("internal", `${kind} publishes but made no artifact`);
  const record = await store.publish(outcome.artifact, {
    ...output,
    jobId: id,
    actor: submittedBy,
    ...(epoch !== undefined && { epoch }),
    ...(mayPublish && { guard: mayPublish }),
  });
  const { name, version, digest } = record;
  return { artifact: { name, version, digest }, metrics: outcome.metrics };
}
