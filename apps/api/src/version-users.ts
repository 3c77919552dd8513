import { modelReferences, parseModelReference, type JobView, type VersionRecord } from "@whittle/contracts";
import type { Services } from "./services.ts";

/** Ids of the jobs that have not ended and take a version: by its number, its digest, or a name or step that stands for it now. */
export async function usersOf(services: Services, version: VersionRecord): Promise<string[]> {
  const users: string[] = [];
  for (const state of ["running", "waiting", "blocked"] as const) {
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await services.queue.list({ state, limit: 200, cursor });
      for (const job of page.jobs) if (await takes(services, job, version)) users.push(job.id);
      ({ cursor } = page);
    }
  }
  return users;
}

async function takes(services: Services, job: JobView, version: VersionRecord): Promise<boolean> {
  const definition = services.catalog[job.kind];
  if (definition === undefined) return false;
  for (const { reference } of modelReferences(definition, job.params))
    if (await meets(services, job, reference, version)) return true;
  return false;
}

async function meets(
  { store, queue }: Services,
  job: JobView,
  reference: string,
  { name, version, digest }: VersionRecord,
): Promise<boolean> {
  const parsed = parseModelReference(reference);
  if (parsed === undefined) return false;
  if (parsed.kind === "digest") return parsed.digest === digest;
  if (parsed.kind === "step") {
    const pipeline = job.pipeline && (await queue.pipeline(job.pipeline.id).catch(() => undefined));
    const made = pipeline?.steps.find(({ step }) => step === parsed.step)?.result?.artifact;
    return made?.name === name && made.version === version;
  }
  if (parsed.name !== name) return false;
  if (parsed.kind === "version") return parsed.version === version;
  const found = await store.resolve(reference).catch(() => undefined);
  return found?.version === version;
}
