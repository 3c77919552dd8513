import { AppError, modelReferences, parseModelReference, type JobView, type VersionRecord } from "@whittle/contracts";
import { z } from "zod";
import { querySchema } from "./query.ts";
import type { Services } from "./services.ts";

/** The query of a deletion. */
export const forced = querySchema({
  force: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true")
    .meta({ description: "Delete it also where an alias points to it or a job takes it." }),
});

/**
 * Refuses to delete what a job that has not ended takes.
 * @param what names it in the error.
 * @throws AppError `conflict` that names the jobs.
 */
export async function refuseUsed(
  { queue }: Services,
  what: string,
  takes: (job: JobView) => Promise<boolean>,
): Promise<void> {
  const users: string[] = [];
  for (const state of ["running", "waiting", "blocked"] as const) {
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await queue.list({ state, limit: 200, cursor });
      for (const job of page.jobs) if (await takes(job)) users.push(job.id);
      ({ cursor } = page);
    }
  }
  if (users.length === 0) return;
  const jobs = `${users.length === 1 ? "job" : "jobs"} ${users.slice(0, 10).join(", ")}`;
  throw new AppError(
    "conflict",
    `${what} is taken by ${jobs}, not ended yet: wait, cancel, or delete it with force=true`,
  );
}

/** Whether a job takes a model's version: by its number, its digest, or a name or step that stands for it now. */
export async function takesVersion(services: Services, job: JobView, version: VersionRecord): Promise<boolean> {
  for (const reference of referencesOf(services, job)) if (await meets(services, job, reference, version)) return true;
  return false;
}

/** Whether a job takes an uploaded data set: its parameters name it, or else a model that was made with it. */
export async function takesDataset(services: Services, job: JobView, dataset: string): Promise<boolean> {
  if (typeof job.params["dataset"] === "string") return job.params["dataset"] === dataset;
  for (const reference of referencesOf(services, job)) {
    const digest = await digestOf(services, job, reference);
    const manifest = digest && (await services.store.manifest(digest).catch(() => undefined));
    if (manifest && manifest.data?.name === dataset) return true;
  }
  return false;
}

function referencesOf({ catalog }: Services, { kind, params }: JobView): string[] {
  const definition = catalog[kind];
  return definition ? modelReferences(definition, params).map(({ reference }) => reference) : [];
}

async function meets(
  services: Services,
  job: JobView,
  reference: string,
  { name, version, digest }: VersionRecord,
): Promise<boolean> {
  const parsed = parseModelReference(reference);
  if (parsed === undefined) return false;
  if (parsed.kind === "digest") return parsed.digest === digest;
  if (parsed.kind === "step") {
    const made = await madeBy(services, job, parsed.step);
    return made?.name === name && made.version === version;
  }
  if (parsed.name !== name) return false;
  if (parsed.kind === "version") return parsed.version === version;
  const found = await services.store.resolve(reference).catch(() => undefined);
  return found?.version === version;
}

/** The digest of what a reference stands for now; undefined when it stands for nothing. */
async function digestOf(services: Services, job: JobView, reference: string): Promise<string | undefined> {
  const parsed = parseModelReference(reference);
  if (parsed?.kind === "step") return (await madeBy(services, job, parsed.step))?.digest;
  return (await services.store.resolve(reference).catch(() => undefined))?.digest;
}

/** What a step of the job's pipeline has made. */
async function madeBy({ queue }: Services, job: JobView, step: string) {
  const pipeline = job.pipeline && (await queue.pipeline(job.pipeline.id).catch(() => undefined));
  return pipeline?.steps.find((each) => each.step === step)?.result?.artifact;
}
