import { createHash } from "node:crypto";
import { AppError, toAppError } from "@whittle/contracts";
import type { StoreDriver } from "./driver.ts";
import { decode, withEncoded } from "./encoding.ts";
import type { Content } from "./content-file.ts";
import { keys } from "./keys.ts";

/** `sha256:<hex>` of some bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/**
 * Writes content under its own digest. Content that is there already is read: where it is sound it is left alone, where it is damaged
 * the right content takes its place, so that nothing new is built on damage and what was published before is whole again.
 */
export async function putBlob(driver: StoreDriver, digest: string, content: Content): Promise<void> {
  const key = keys.blob(digest);
  await withEncoded(content, async (encoded) => {
    while (!(await driver.create(key, encoded))) {
      try {
        if ((await getBlob(driver, digest, "content of an earlier publication")) !== undefined) return;
        // It was collected meanwhile.
      } catch (error) {
        if (toAppError(error).code !== "corrupt") throw error;
        return driver.replace(key, encoded);
      }
    }
  });
}

/** Writes content under its own digest, also where it is there already, which makes it as young as what is new. */
export async function writeBlob(driver: StoreDriver, digest: string, content: Content): Promise<void> {
  const key = keys.blob(digest);
  await withEncoded(content, async (encoded) => {
    if (!(await driver.create(key, encoded))) await driver.replace(key, encoded);
  });
}

/**
 * Reads content and checks it against its digest and, where it is known, its size.
 * @param label names the content in errors: a file of an artifact, or a manifest.
 * @returns undefined when there is none.
 * @throws AppError `corrupt`, naming the content and its key.
 */
export async function getBlob(
  driver: StoreDriver,
  digest: string,
  label: string,
  size?: number,
): Promise<Uint8Array | undefined> {
  const key = keys.blob(digest);
  const stored = await driver.read(key);
  if (stored === undefined) return undefined;
  const bytes = await decode(stored);
  if (bytes === undefined) throw new AppError("corrupt", `${label} is damaged: ${key} can't be decompressed`);
  if (size !== undefined && bytes.byteLength !== size)
    throw new AppError("corrupt", `${label} is damaged: ${key} has ${bytes.byteLength} bytes, not ${size}`);
  if (digestOf(bytes) !== digest)
    throw new AppError("corrupt", `${label} is damaged: the content of ${key} has another SHA-256`);
  return bytes;
}
