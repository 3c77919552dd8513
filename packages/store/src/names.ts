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

/** Every name with its versions and aliases, sorted by name. */
export async function listModels(driver: StoreDriver): Promise<ModelSummary[]> {
  const models = readModelKeys(await driver.list("models/"));
  const sorted = [...models].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Promise.all(sorted.map(([name, found]) => summarize(driver, name, found)));
}

/** What is there of one name. @throws AppError `not_found`, saying which models there are. */
export async function findModel(driver: StoreDriver, name: string): Promise<ModelKeys> {
  parse(modelName, name, "The model's name", "name");
  const found = readModelKeys(await driver.list(keys.model(name))).get(name);
  if (found !== undefined) return found;
  const names = [...readModelKeys(await driver.list("models/")).keys()].toSorted();
  throw new AppError("not_found", `there is no model "${name}"; the store has ${enumerate(names, "none")}`);
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
  throw new AppError("not_found", `${name} has no version ${version}; it has ${enumerate(model.versions, "none")}`);
}

/** @throws AppError `not_found`, saying which aliases there are. */
export async function findAlias(
  driver: StoreDriver,
  name: string,
  model: ModelKeys,
  alias: string,
): Promise<AliasRecord> {
  const generation = model.aliases.get(alias);
  if (generation !== undefined) return readAlias(driver, name, alias, generation);
  const there = enumerate([...model.aliases.keys()].toSorted(), "no aliases");
  throw new AppError("not_found", `${name} has no alias "${alias}"; it has ${there}`);
}

export async function summarize(driver: StoreDriver, name: string, found: ModelKeys): Promise<ModelSummary> {
  const aliases = [...found.aliases].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const records = await Promise.all(
    aliases.map(async ([alias, generation]) => [alias, await readAlias(driver, name, alias, generation)] as const),
  );
  return { name, versions: found.versions, aliases: Object.fromEntries(records) };
}

function enumerate(items: (string | number)[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(-20).join(", ");
  return items.length > 20 ? `${items.length}, among them ${shown}` : shown;
}
