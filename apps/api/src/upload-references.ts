import { AppError, uploadReferences, type JobView, type PipelineView } from "@whittle/contracts";
import { z } from "zod";
import { mostMissing, type Referring } from "./model-references.ts";
import type { Services } from "./services.ts";

const record = z.record(z.string(), z.unknown());

/**
 * Does what makes jobs wait, while the uploads that they name are held, and claims these for the jobs, so that none is collected before its
 * job has ended. Parameters that the kind refuses are left to the kind's own schema.
 * @throws AppError `invalid_request` with the path of each upload that is not in the store, up to {@link mostMissing}; what `begin` throws.
 */
export async function claimUploads<T extends JobView | PipelineView>(
  { store, catalog }: Services,
  referring: Referring[],
  begin: () => Promise<T>,
): Promise<T> {
  const named = referring.flatMap((each) => uploads(catalog, each));
  if (named.length === 0) return begin();
  return store.claims.holding([...new Set(named.map(({ digest }) => digest))], async () => {
    await checkThere(store, named);
    const begun = await begin();
    for (const { id, kind, params } of jobsOf(begun))
      for (const { digest } of uploads(catalog, { kind, params, at: "" })) await store.claims.add(digest, id);
    return begun;
  });
}

const jobsOf = (begun: JobView | PipelineView): JobView[] => ("steps" in begun ? begun.steps : [begun]);

interface NamedUpload {
  path: string;
  digest: string;
}

function uploads(catalog: Services["catalog"], { kind, params, at }: Referring): NamedUpload[] {
  const definition = Object.hasOwn(catalog, kind) ? catalog[kind] : undefined;
  const values = record.safeParse(params);
  if (!definition || !values.success || !definition.params.safeParse(params).success) return [];
  return uploadReferences(definition, values.data).map(({ param, digest }) => ({ path: `${at}.${param}`, digest }));
}

async function checkThere(store: Services["store"], named: NamedUpload[]): Promise<void> {
  const there = new Map<string, boolean>();
  for (const { digest } of named.slice(0, mostMissing))
    there.set(digest, there.get(digest) ?? (await store.claims.has(digest)));
  const issues = named
    .filter(({ digest }) => there.get(digest) === false)
    .map(({ path, digest }) => ({
      path,
      message: `there is no upload ${digest}: send the file to POST /v1/uploads first, which answers its digest`,
    }));
  const [first] = issues;
  if (first) throw new AppError("invalid_request", `${first.path}: ${first.message}`, { issues });
}
