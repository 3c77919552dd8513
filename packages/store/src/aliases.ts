import { aliasRecord, AppError, type AliasRecord } from "@whittle/contracts";
import type { StoreDriver } from "./driver.ts";
import { keys } from "./keys.ts";
import { createRecord, readRecord } from "./records.ts";

/*
 * An alias is a row of create-only records, `refs/<alias>/<generation>.json`, of which the highest is in force. Moving it means
 * creating the next generation: two writers that both saw generation 4 both try to create 5, and one of them fails.
 */

/** Every place an alias has pointed to, oldest first. */
export async function aliasHistory(driver: StoreDriver, name: string, alias: string): Promise<AliasRecord[]> {
  const listed = await driver.list(keys.alias(name, alias));
  const generations = listed.map((key) => Number(/(\d+)\.json$/.exec(key)?.[1] ?? 0)).toSorted((a, b) => a - b);
  return Promise.all(generations.map((generation) => readAlias(driver, name, alias, generation)));
}

/** One generation of an alias that was seen in a listing. */
export async function readAlias(
  driver: StoreDriver,
  name: string,
  alias: string,
  generation: number,
): Promise<AliasRecord> {
  const key = keys.aliasGeneration(name, alias, generation);
  const record = await readRecord(driver, key, aliasRecord);
  if (record === undefined) throw new AppError("corrupt", `${key} was removed`);
  return record;
}

export interface AliasMove {
  version: number;
  digest: string;
  actor: string;
}

/**
 * Moves an alias.
 * @param decide is shown the alias' history and says whether to move it. It is asked again when another writer was faster.
 * @returns the record in force afterwards.
 */
export async function moveAlias(
  driver: StoreDriver,
  name: string,
  alias: string,
  move: AliasMove,
  decide: (history: AliasRecord[]) => boolean,
): Promise<AliasRecord> {
  for (;;) {
    const history = await aliasHistory(driver, name, alias);
    const current = history.at(-1);
    if (current?.version === move.version) return current;
    if (!decide(history) && current !== undefined) return current;
    const next = { ...move, generation: (current?.generation ?? 0) + 1, at: new Date().toISOString() };
    if (await createRecord(driver, keys.aliasGeneration(name, alias, next.generation), next)) return next;
  }
}
