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

const object = z.record(z.string(), z.unknown());

/**
 * Checks that the models which parameters name are in the store; what isn't a reference at all is left to the kind's own schema.
 * @throws AppError `invalid_request` with the path of each that is not.
 */
export async function checkModels(store: ArtifactStore, catalog: Catalog, referring: Referring[]): Promise<void> {
  const issues = (await Promise.all(referring.map((each) => missingModels(store, catalog, each)))).flat();
  const [first] = issues;
  if (first) throw new AppError("invalid_request", `${first.path}: ${first.message}`, { issues });
}

async function missingModels(
  store: ArtifactStore,
  catalog: Catalog,
  { kind, params, at }: Referring,
): Promise<Issue[]> {
  const definition = Object.hasOwn(catalog, kind) ? catalog[kind] : undefined;
  const values = object.safeParse(params);
  if (!definition || !values.success) return [];
  const found = await Promise.all(
    modelReferences(definition, values.data).map(async ({ param, reference }): Promise<Issue[]> => {
      const parsed = parseModelReference(reference);
      if (parsed === undefined || parsed.kind === "step") return [];
      const problem = await missing(store, reference);
      return problem === undefined ? [] : [{ path: `${at}.${param}`, message: problem }];
    }),
  );
  return found.flat();
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
