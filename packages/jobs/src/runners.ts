import {
  AppError,
  modelReferences,
  parse,
  parseUploadedDataset,
  replaceReferences,
  type JobDefinition,
  type JobEnvelope,
  type JobResult,
} from "@whittle/contracts";
import type { ArtifactStore } from "@whittle/store";
import type { Dataset } from "@whittle/zoo";
import { z } from "zod";
import { catalog } from "./catalog.ts";
import { runners } from "./generated/runners.ts";
import type { JobHost } from "./host.ts";
import { publishOnce } from "./publish-once.ts";
import { abortError, stopIfAborted, type JobContext, type JobOutcome } from "./shared/context.ts";

export type { JobHost } from "./host.ts";
export type { JobContext, JobOutcome } from "./shared/context.ts";

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
    const context = contextOf(host);
    const run = async () => {
      const outcome = await (await load()).run(params, context);
      stopIfAborted(host.signal);
      return outcome;
    };
    if (!definition.publishes) return { metrics: (await run()).metrics };
    const [{ loadEngine }, { stepKey }] = await Promise.all([import("./load-engine.ts"), import("./step-key.ts")]);
    await loadEngine(definition, params, context);
    const key = await stepKey(definition, params, context);
    return await publishOnce(key, envelope, host, run);
  } catch (error) {
    throw host.signal.aborted ? abortError(host.signal) : error;
  }
}

/** Loads the code of all kinds before there is a job. Not TensorFlow: it takes its threads as it is loaded, and they depend on the job. */
export async function preloadJobs(): Promise<void> {
  const kinds = Object.values(lazyRunners).map((load) => load());
  await Promise.all([import("./load-engine.ts"), import("./step-key.ts"), ...kinds]);
}

const fields = z.record(z.string(), z.unknown());

/** Parses the parameters and puts digests in the place of names, so that they say the same for ever. */
async function resolveModels(
  definition: JobDefinition,
  raw: unknown,
  store: ArtifactStore,
): Promise<Record<string, unknown>> {
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
  const loaded = new Map<string, Promise<Dataset>>();
  return {
    store,
    signal,
    workDir,
    keep,
    dataset: (name) => {
      const data = loaded.get(name) ?? readDataset(name, store, datasetDirs);
      loaded.set(name, data);
      return data;
    },
    progress: (fraction, stage) => emit({ type: "progress", fraction: Math.min(1, Math.max(0, fraction)), stage }),
    log: (level, message) => emit({ type: "log", level, message }),
    metrics: (series, step, values) => emit({ type: "metrics", series, step, values }),
  };
}

async function readDataset(name: string, store: ArtifactStore, dirs: string[]): Promise<Dataset> {
  const uploaded = parseUploadedDataset(name);
  if (uploaded === undefined) return (await import("@whittle/zoo")).loadDataset(name, { dirs });
  const record = await store.datasets.find(uploaded.name, uploaded.version);
  const { openUpload } = await import("@whittle/zoo/uploaded");
  return openUpload(record, await store.datasets.readFile(record));
}
