import { AppError, parseUploadedDataset, type DatasetRecord, type Issue } from "@whittle/contracts";
import type { Catalog } from "@whittle/queue";
import type { ArtifactStore } from "@whittle/store";
import { families, familyName, misfitOf } from "@whittle/zoo/catalog";
import { z } from "zod";
import { mostMissing, type Referring } from "./model-references.ts";

/** What a kind calls the data set that it takes and the family that it builds; kinds without them have neither. */
const taking = z.object({ dataset: z.string(), family: familyName.optional().catch(undefined) });

/**
 * Checks that the uploaded data sets which parameters name are in the store, and that the family which they name can take them. Data sets of
 * the zoo, and parameters that the kind refuses, are left to the kind's own schema.
 * @throws AppError `invalid_request` with the path of each that is wrong, up to {@link mostMissing}.
 */
export async function checkDatasets(store: ArtifactStore, catalog: Catalog, referring: Referring[]): Promise<void> {
  const looked = new Map<string, DatasetRecord | string>();
  const issues: Issue[] = [];
  for (const { kind, params, at } of referring) {
    const definition = Object.hasOwn(catalog, kind) ? catalog[kind] : undefined;
    const { data } = taking.safeParse(params);
    if (!data || !definition?.params.safeParse(params).success) continue;
    const { dataset, family } = data;
    const found = looked.get(dataset) ?? (await look(store, dataset));
    if (found === undefined) continue;
    looked.set(dataset, found);
    if (typeof found === "string") issues.push({ path: `${at}.dataset`, message: found });
    const problem = family && typeof found !== "string" ? misfitOf(families[family], dataset, found) : undefined;
    if (problem !== undefined) issues.push({ path: `${at}.family`, message: problem });
    if (issues.length === mostMissing) break;
  }
  const [first] = issues;
  if (first) throw new AppError("invalid_request", `${first.path}: ${first.message}`, { issues });
}

/** A version's record, or why there is none; undefined when it is no uploaded data set. */
async function look(store: ArtifactStore, reference: string): Promise<DatasetRecord | string | undefined> {
  const uploaded = parseUploadedDataset(reference);
  if (uploaded === undefined) return undefined;
  try {
    return await store.datasets.find(uploaded.name, uploaded.version);
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return error.message;
    throw error;
  }
}
