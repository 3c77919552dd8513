import { AppError, deletionRecord, modelName, parse, type DeletionRecord } from "@whittle/contracts";
import type { StoreDriver } from "./driver.ts";
import { keys } from "./keys.ts";
import { findModel, findVersion, summarize } from "./names.ts";
import { createRecord, readRecord } from "./records.ts";

export interface DeleteOptions {
  actor: string;
  /** Also deletes what aliases point to; they count as none then, until they are moved. */
  force?: boolean;
}

/**
 * Deletes a version by creating a record of that beside the version's own, which stays: the deletion is one write, its number is not given
 * again, and a late publication of the same job makes no other version. Its content goes when it is collected. Doing it twice is as once.
 * @returns the record of the first deletion.
 * @throws AppError `not_found`; `conflict` when an alias points to it.
 */
export async function deleteVersion(
  driver: StoreDriver,
  name: string,
  version: number,
  { actor, force = false }: DeleteOptions,
): Promise<DeletionRecord> {
  parse(modelName, name, "The model's name", "name");
  const before = await readRecord(driver, keys.deletion(name, version), deletionRecord);
  if (before !== undefined) return before;
  const model = await findModel(driver, name);
  const { digest } = await findVersion(driver, name, model, version);
  const { aliases } = await summarize(driver, name, model);
  const pointing = Object.keys(aliases).filter((alias) => aliases[alias]?.version === version);
  if (pointing.length > 0 && !force)
    throw new AppError(
      "conflict",
      `${name}@${version} is what ${pointing.map((alias) => `${name}@${alias}`).join(" and ")} stands for: ` +
        "move the alias to another version first, or force the deletion, which takes the alias away",
    );
  const record = { name, version, digest, actor, at: new Date().toISOString() };
  if (await createRecord(driver, keys.deletion(name, version), record)) return record;
  // Another was faster.
  return deleteVersion(driver, name, version, { actor, force });
}

/** Whether a version that there was has been deleted. */
export async function isDeleted(driver: StoreDriver, name: string, version: number): Promise<boolean> {
  return (await driver.stat(keys.deletion(name, version))) !== undefined;
}
