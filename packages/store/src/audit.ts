import {
  aliasRecord,
  datasetRecord,
  deletionRecord,
  manifest as manifestSchema,
  toAppError,
  versionRecord,
  type Issue,
} from "@whittle/contracts";
import type { z } from "zod";
import { getBlob } from "./blobs.ts";
import type { StoreDriver } from "./driver.ts";
import { identityRecord } from "./identity.ts";
import { digestOfKey, keys, readDatasetKeys, readModelKeys, type ModelKeys } from "./keys.ts";
import { inParallel } from "./parallel.ts";
import { parseJson, readRecord } from "./records.ts";
import { stepRecord } from "./steps.ts";

/** Blobs that are in memory at the same time. */
const width = 4;

/** What was read, and what is wrong with it. */
export interface Audit {
  blobs: number;
  versions: number;
  aliases: number;
  /** Versions of data sets. */
  datasets: number;
  steps: number;
  issues: Issue[];
}

/**
 * Reads every byte of the store: content must have its digest, records must parse, a version must lead to a manifest whose files are
 * there with the sizes that it names, one of a data set to its file, an alias to a version. Of a deleted version only the deletion is read. A remembered step whose artifact is
 * gone is no damage.
 */
export async function audit(driver: StoreDriver): Promise<Audit> {
  const issues: Issue[] = [];
  /** Sizes of all sound content. */
  const sizes = new Map<string, number>();
  const blobs = await driver.list("blobs/");
  await inParallel(blobs, width, (key) =>
    noting(issues, key, async () => {
      const digest = digestOfKey(key);
      const bytes = await getBlob(driver, digest, "it");
      if (bytes !== undefined) sizes.set(digest, bytes.byteLength);
    }),
  );
  const models = readModelKeys(await driver.list("models/"));
  for (const [name, model] of models) await auditModel(driver, issues, name, model, sizes);
  const datasets = readDatasetKeys(await driver.list("datasets/"));
  for (const [name, versions] of datasets) await auditDataset(driver, issues, name, versions, sizes);
  const steps = await driver.list("steps/");
  await inParallel(steps, width, (key) => auditRecord(driver, issues, key, stepRecord));
  await auditRecord(driver, issues, keys.identity, identityRecord);
  const all = [...models.values()];
  return {
    blobs: blobs.length,
    versions: all.reduce((sum, model) => sum + model.versions.length, 0),
    aliases: all.reduce((sum, model) => sum + model.aliases.size, 0),
    datasets: [...datasets.values()].reduce((sum, { versions }) => sum + versions.length, 0),
    steps: steps.length,
    issues,
  };
}

async function auditModel(
  driver: StoreDriver,
  issues: Issue[],
  name: string,
  model: ModelKeys,
  sizes: Map<string, number>,
): Promise<void> {
  for (const version of model.versions)
    await noting(issues, keys.version(name, version), () => auditVersion(driver, issues, name, version, sizes));
  for (const version of model.deleted) await auditRecord(driver, issues, keys.deletion(name, version), deletionRecord);
  const known = new Set([...model.versions, ...model.deleted]);
  for (const [alias, generation] of model.aliases) {
    const key = keys.aliasGeneration(name, alias, generation);
    await noting(issues, key, async () => {
      const record = await readRecord(driver, key, aliasRecord);
      if (record !== undefined && !known.has(record.version))
        issues.push({ path: key, message: `it leads to version ${record.version}, which is missing` });
    });
  }
}

async function auditDataset(
  driver: StoreDriver,
  issues: Issue[],
  name: string,
  { versions, deleted }: Pick<ModelKeys, "versions" | "deleted">,
  sizes: Map<string, number>,
): Promise<void> {
  for (const version of deleted) await auditRecord(driver, issues, keys.datasetDeletion(name, version), deletionRecord);
  for (const version of versions) {
    const key = keys.dataset(name, version);
    await noting(issues, key, async () => {
      const record = await readRecord(driver, key, datasetRecord);
      if (record !== undefined && sizes.get(record.digest) !== record.size)
        issues.push({ path: key, message: `its file is missing or damaged (${keys.blob(record.digest)})` });
    });
  }
}

async function auditVersion(
  driver: StoreDriver,
  issues: Issue[],
  name: string,
  version: number,
  sizes: Map<string, number>,
): Promise<void> {
  const key = keys.version(name, version);
  const record = await readRecord(driver, key, versionRecord);
  if (record === undefined) return;
  // A damaged manifest has been noted as content.
  const bytes = sizes.has(record.digest) ? await getBlob(driver, record.digest, "it") : undefined;
  const manifest = bytes && manifestSchema.safeParse(parseJson(bytes)).data;
  if (manifest === undefined)
    return void issues.push({ path: key, message: `it leads to ${record.digest}, which is no sound manifest` });
  for (const { path, digest, size } of manifest.files)
    if (sizes.get(digest) !== size)
      issues.push({ path: key, message: `its file ${path} is missing or damaged (${keys.blob(digest)})` });
}

/** Notes a record that is not what `schema` says. */
function auditRecord(driver: StoreDriver, issues: Issue[], key: string, schema: z.ZodType): Promise<void> {
  return noting(issues, key, async () => void (await readRecord(driver, key, schema)));
}

/** Notes damage that `work` meets; other failures are thrown. */
async function noting(issues: Issue[], path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const failure = toAppError(error);
    if (failure.code !== "corrupt") throw failure;
    issues.push({ path, message: failure.message });
  }
}
