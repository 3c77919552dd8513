import { AppError, canonicalJson } from "@whittle/contracts";
import type { z } from "zod";
import type { StoreDriver } from "./driver.ts";

/**
 * Reads a small JSON record.
 * @returns undefined when there is none.
 * @throws AppError `corrupt` when it isn't what `schema` says.
 */
export async function readRecord<S extends z.ZodType>(
  driver: StoreDriver,
  key: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  const bytes = await driver.read(key);
  if (bytes === undefined) return undefined;
  const parsed = schema.safeParse(parseJson(bytes));
  if (!parsed.success)
    throw new AppError("corrupt", `${key} is damaged: it is not a valid record`, { cause: parsed.error });
  return parsed.data;
}

/** Writes a record that must not exist. @returns false when it does. */
export function createRecord(driver: StoreDriver, key: string, value: unknown): Promise<boolean> {
  return driver.create(key, new TextEncoder().encode(canonicalJson(value)));
}

/** @returns undefined when the bytes are not JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
