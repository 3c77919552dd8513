import { AppError, toAppError, type JobEnvelope, type JobResult, type VersionRecord } from "@whittle/contracts";
import type { PublishTarget, StepRecord } from "@whittle/store";
import type { JobHost } from "./host.ts";
import type { JobOutcome } from "./shared/context.ts";

/**
 * Publishes what a job makes, or, without running it, what another made of the same.
 * @param key stands for all that decides what the job makes; without it the job is run.
 * @throws AppError what `run` throws, and what `host.mayPublish` does.
 */
export async function publishOnce(
  key: string | undefined,
  envelope: JobEnvelope,
  host: JobHost,
  run: () => Promise<JobOutcome>,
): Promise<JobResult> {
  const before = key !== undefined && !envelope.fresh && (await publishAgain(key, envelope, host));
  if (before) return before;
  const { artifact, metrics } = await run();
  if (artifact === undefined) throw new AppError("internal", `${envelope.kind} publishes but made no artifact`);
  const record = await host.store.publish(artifact, targetOf(envelope, host));
  const result = { artifact: namesOf(record), metrics };
  if (key !== undefined) await keepStep(key, { jobId: envelope.id, result }, host);
  return result;
}

/** @returns undefined where the step was never done, or what it made is not there any more or not whole. */
async function publishAgain(key: string, envelope: JobEnvelope, host: JobHost): Promise<JobResult | undefined> {
  const { store } = host;
  try {
    const step = await store.step(key);
    if (!step?.result.artifact) return undefined;
    const { jobId, result } = step;
    const { name, version, digest } = step.result.artifact;
    const { measurements } = await store.version(name, version);
    const record = await store.republish(digest, measurements, targetOf(envelope, host));
    if (jobId === envelope.id) return { ...result, artifact: namesOf(record) };
    const message = `job ${jobId} made the same before, ${name}@${version}: it is published again and nothing is run`;
    host.emit({ type: "log", level: "info", message });
    return { ...result, artifact: namesOf(record), cached: { jobId, name, version } };
  } catch (error) {
    if (!(error instanceof AppError) || !["not_found", "corrupt"].includes(error.code)) throw error;
    const message = `the same was made before but can't be published again, so it is made anew: ${error.message}`;
    host.emit({ type: "log", level: "warn", message });
    return undefined;
  }
}

/** The artifact is published whether or not this succeeds; without it the step is done again. */
async function keepStep(key: string, record: StepRecord, { store, emit }: JobHost): Promise<void> {
  await store.keepStep(key, record).catch((error: unknown) => {
    emit({ type: "log", level: "warn", message: `the step is not remembered: ${toAppError(error).message}` });
  });
}

function targetOf({ id, output, submittedBy }: JobEnvelope, { epoch, mayPublish }: JobHost): PublishTarget {
  return {
    ...output,
    jobId: id,
    actor: submittedBy,
    ...(epoch !== undefined && { epoch }),
    ...(mayPublish && { guard: mayPublish }),
  };
}

function namesOf({ name, version, digest }: VersionRecord): JobResult["artifact"] {
  return { name, version, digest };
}
