import { AppError, modelReferences, parseModelReference, type Issue } from "@whittle/contracts";
import type { Catalog } from "@whittle/queue";
import type { ArtifactStore } from "@whittle/store";
import { z } from "zod";

export interface Referring {
  kind: string;
  params: unknown;
  /** Where the parameters are in the request: `steps.2.params`. */
  at: string;
}

const record = z.record(z.string(), z.unknown());

/** So many models or data sets that are missing are named; each costs a look at the whole store. */
export const mostMissing = 20;

/**
 * Checks that the models which parameters name are in the store; what isn't a reference at all, and parameters that the kind refuses, are
 * left to the kind's own schema.
 * @throws AppError `invalid_request` with the path of each that is not, up to {@link mostMissing}.
 */
export async function checkModels(store: ArtifactStore, catalog: Catalog, referring: Referring[]): Promise<void> {
  const looked = new Map<string, string | undefined>();
  const issues: Issue[] = [];
  for (const { path, reference } of referring.flatMap((each) => references(catalog, each))) {
    if (!looked.has(reference)) looked.set(reference, await missing(store, reference));
    const message = looked.get(reference);
    if (message !== undefined) issues.push({ path, message });
    if (issues.length === mostMissing) break;
  }
  const [first] = issues;
  if (first) throw new AppError("invalid_request", `${first.path}: ${first.message}`, { issues });
}

/** The models that a job names and that must be there before it. */
function references(catalog: Catalog, { kind, params, at }: Referring): { path: string; reference: string }[] {
  const definition = Object.hasOwn(catalog, kind) ? catalog[kind] : undefined;
  const values = record.safeParse(params);
  if (!definition || !values.success || !definition.params.safeParse(params).success) return [];
  return modelReferences(definition, values.data)
    .filter(({ reference }) => (parseModelReference(reference)?.kind ?? "step") !== "step")
    .map(({ param, reference }) => ({ path: `${at}.${param}`, reference }));
}

async function missing(store: ArtifactStore, reference: string): Promise<string | undefined> {
  try {
    await store.resolve(reference);
    return undefined;
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return error.message;
    throw error;
  }
}
