import { AppError, digest as digestSchema, parse } from "@whittle/contracts";
import { digestOf, getBlob, writeBlob } from "./blobs.ts";
import type { ContentFile } from "./content-file.ts";
import type { StoreDriver } from "./driver.ts";
import { underLease } from "./lease.ts";

/** Content as it is found again. */
export interface StoredContent {
  digest: string;
  /** Bytes, uncompressed. */
  size: number;
}

/**
 * Keeps content that has no name. Until something leads to it, or a job has a claim on it, it may be collected once it is older than a
 * collection's grace; storing it again makes it young again.
 */
export async function putContent(driver: StoreDriver, bytes: Uint8Array): Promise<StoredContent> {
  const digest = digestOf(bytes);
  await underLease(driver, [digest], () => writeBlob(driver, digest, bytes));
  return { digest, size: bytes.byteLength };
}

/** As {@link putContent}, of a file, which is not read into memory. @param file with the digest that its bytes have. */
export async function putContentFile(driver: StoreDriver, file: ContentFile & StoredContent): Promise<StoredContent> {
  const { digest, size } = file;
  await underLease(driver, [digest], () => writeBlob(driver, digest, file));
  return { digest, size };
}

/**
 * Any content by its digest, checked against it.
 * @throws AppError `not_found`; `corrupt`; `invalid_request` when the digest is none.
 */
export async function readContent(driver: StoreDriver, digest: string): Promise<Uint8Array> {
  parse(digestSchema, digest, "The digest", "digest");
  const bytes = await getBlob(driver, digest, `the content ${digest}`);
  if (bytes === undefined) throw new AppError("not_found", `the store has no content ${digest}`);
  return bytes;
}
