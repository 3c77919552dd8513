import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError, cacheFolder } from "@whittle/contracts";
import type { StoreDriver } from "./driver.ts";
import { CachingDriver } from "./drivers/caching.ts";
import { FsDriver } from "./drivers/fs.ts";
import { MemoryDriver } from "./drivers/memory.ts";
import { ArtifactStore } from "./store.ts";

const cacheBytes = 10 * 2 ** 30;

/**
 * Opens the store at a path, `file:///path`, `s3://bucket/prefix?endpoint=…&region=…` (credentials as the AWS SDK finds them) or
 * `memory:` (a new one, in this process), making it when it isn't there.
 * @throws AppError `invalid_request` for any other address; `unavailable` when the place can't be written to or does not keep the
 * promises of a {@link StoreDriver}.
 * @param options.cache false: read what is remote each time, instead of keeping it in the user's cache folder.
 */
export async function openStore(url: string, { cache = true } = {}): Promise<ArtifactStore> {
  const drivers = await driversFor(url);
  await Promise.all(drivers.map(probe));
  const [driver] = drivers;
  if (!cache || !isRemote(url)) return new ArtifactStore(driver);
  return new ArtifactStore(new CachingDriver(driver, join(cacheFolder(process.env), "blobs"), cacheBytes));
}

function isRemote(url: string): boolean {
  return url.startsWith("s3:");
}

/** The driver of an address, and others on the same place that must keep the same promises. */
async function driversFor(url: string): Promise<[StoreDriver, ...StoreDriver[]]> {
  if (isRemote(url)) {
    // Only who has a store on S3 pays for loading the SDK.
    const { S3Driver } = await import("./drivers/s3/driver.ts");
    return [new S3Driver(url), new S3Driver(url, { wholeBytes: 0 })];
  }
  if (url === "memory:") return [new MemoryDriver()];
  if (url.startsWith("file://")) return [new FsDriver(fileURLToPath(url))];
  if (url === "" || /^[a-z][a-z0-9+.-]+:/.test(url))
    throw new AppError("invalid_request", `the store's address "${url}" must be a path, file:, s3: or memory:`);
  return [new FsDriver(url)];
}

/** Writes one key twice and refuses a place that lets the second write through: there two jobs would get one version. */
export async function probe(driver: StoreDriver): Promise<void> {
  const key = `tmp/probe-${randomUUID()}`;
  try {
    await writeTwice(driver, key);
  } catch (error) {
    // The first failure is the one that tells what is wrong.
    await driver.remove(key).catch(() => {});
    throw error;
  }
  await driver.remove(key);
}

async function writeTwice(driver: StoreDriver, key: string): Promise<void> {
  const encoder = new TextEncoder();
  const first = await driver.create(key, encoder.encode("first"));
  const second = await driver.create(key, encoder.encode("second"));
  const kept = new TextDecoder().decode(await driver.read(key));
  if (second || kept === "second")
    throw new AppError("unavailable", `the store at ${driver.location} overwrites what is there: it can't be used`);
  if (!first || kept !== "first")
    throw new AppError("unavailable", `the store at ${driver.location} did not give back what was written to it`);
}
