import { randomUUID } from "node:crypto";
import { AppError } from "@whittle/contracts";
import { z } from "zod";
import type { StoreDriver } from "./driver.ts";
import { keys } from "./keys.ts";
import { createRecord, parseJson } from "./records.ts";

export const identityRecord = z.strictObject({ id: z.uuid() });

/**
 * What tells one store from another, whatever address or mount point it is reached by: a record that is created when somebody first
 * asks. A copy of a store has the identity of the original.
 * @returns a UUID.
 * @throws AppError `corrupt` when the record is damaged.
 */
export async function identify(driver: StoreDriver): Promise<string> {
  const found = await readIdentity(driver);
  if (found !== undefined) return found;
  await createRecord(driver, keys.identity, { id: randomUUID() } satisfies z.infer<typeof identityRecord>);
  // Another process may have been first.
  const kept = await readIdentity(driver);
  if (kept !== undefined) return kept;
  throw new AppError("unavailable", `the store at ${driver.location} did not give back what was written to it`);
}

async function readIdentity(driver: StoreDriver): Promise<string | undefined> {
  const bytes = await driver.read(keys.identity);
  if (bytes === undefined) return undefined;
  const { data } = identityRecord.safeParse(parseJson(bytes));
  if (data !== undefined) return data.id;
  const what = `${keys.identity} of the store at ${driver.location} is damaged`;
  throw new AppError("corrupt", `${what}: remove it, then start the API and the workers again, which get a new one`);
}
