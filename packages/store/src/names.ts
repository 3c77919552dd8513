import { AppError, modelName, parse, versionRecord, type AliasRecord, type VersionRecord } from "@whittle/contracts";
import { readAlias } from "./aliases.ts";
import type { StoreDriver } from "./driver.ts";
import { keys, readModelKeys, type ModelKeys } from "./keys.ts";
import { readRecord } from "./records.ts";

export interface ModelSummary {
  name: string;
  /** Ascending. */
  versions: number[];
  aliases: Record<string, AliasRecord>;
}

/** A part of a listing: at most `limit` of those that come after `after`; all there are without either. */
export interface Page<K> {
  after?: K | undefined;
  limit?: number | undefined;
}

/** Every name with its versions and aliases, sorted by name; a name whose versions were all deleted is left out. */
export async function listModels(driver: StoreDriver, { after, limit }: Page<string> = {}): Promise<ModelSummary[]> {
  const models = (await modelsThere(driver)).filter(([name]) => after === undefined || name > after);
  return Promise.all(models.slice(0, limit).map(([name, found]) => summarize(driver, name, found)));
}

/** Those of the versions, ascending, that are on a page. */
export function versionsOn({ after = 0, limit }: Page<number>, versions: number[]): number[] {
  return versions.filter((version) => version > after).slice(0, limit);
}

/** What is there of one name. @throws AppError `not_found`, saying which models there are. */
export async function findModel(driver: StoreDriver, name: string): Promise<ModelKeys> {
  const found = await findModelKeys(driver, name);
  if (found && found.versions.length > 0) return found;
  const names = (await modelsThere(driver)).map(([each]) => each);
  const why = found ? " (all its versions were deleted)" : "";
  throw new AppError("not_found", `there is no model "${name}"${why}; the store has ${enumerate(names, "none")}`);
}

/** What there is of one name, or was before it was deleted; undefined when there was never anything. */
async function findModelKeys(driver: StoreDriver, name: string): Promise<ModelKeys | undefined> {
  parse(modelName, name, "The model's name", "name");
  return readModelKeys(await driver.list(keys.model(name))).get(name);
}

async function modelsThere(driver: StoreDriver): Promise<[name: string, found: ModelKeys][]> {
  const models = [...readModelKeys(await driver.list("models/"))];
  return models.filter(([, { versions }]) => versions.length > 0).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** @throws AppError `not_found`, saying which versions there are. */
export async function findVersion(
  driver: StoreDriver,
  name: string,
  model: ModelKeys,
  version: number,
): Promise<VersionRecord> {
  const record = model.versions.includes(version)
    ? await readRecord(driver, keys.version(name, version), versionRecord)
    : undefined;
  if (record !== undefined) return record;
  const why = model.deleted.includes(version) ? " any more: it was deleted" : "";
  const there = enumerate(model.versions, "none");
  throw new AppError("not_found", `${name} has no version ${version}${why}; it has ${there}`);
}

/** Where an alias points to. @throws AppError `not_found`, saying which aliases there are, or that its version was deleted. */
export async function findAlias(
  driver: StoreDriver,
  name: string,
  model: ModelKeys,
  alias: string,
): Promise<AliasRecord> {
  const generation = model.aliases.get(alias);
  const found = generation === undefined ? undefined : await readAlias(driver, name, alias, generation);
  if (found && !model.deleted.includes(found.version)) return found;
  const there = enumerate(Object.keys(await aliasesOf(driver, name, model)), "no aliases");
  const why = found ? ` any more: version ${found.version}, which it pointed to, was deleted` : "";
  throw new AppError("not_found", `${name} has no alias "${alias}"${why}; it has ${there}`);
}

/** A name with its versions and aliases; an alias that points to a deleted version counts as none. */
export async function summarize(driver: StoreDriver, name: string, found: ModelKeys): Promise<ModelSummary> {
  return { name, versions: found.versions, aliases: await aliasesOf(driver, name, found) };
}

/** Sorted by alias. */
async function aliasesOf(driver: StoreDriver, name: string, found: ModelKeys): Promise<Record<string, AliasRecord>> {
  const sorted = [...found.aliases].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const records = await Promise.all(
    sorted.map(async ([alias, generation]) => [alias, await readAlias(driver, name, alias, generation)] as const),
  );
  return Object.fromEntries(records.filter(([, { version }]) => !found.deleted.includes(version)));
}

/** A list for an error, the last of it where it is long. */
export function enumerate(items: (string | number)[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(-20).join(", ");
  return items.length > 20 ? `${items.length}, among them ${shown}` : shown;
}
