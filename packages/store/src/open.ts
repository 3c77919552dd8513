import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { AppError } from "@whittle/contracts";
import type { StoreDriver } from "./driver.ts";
import { FsDriver } from "./drivers/fs.ts";
import { MemoryDriver } from "./drivers/memory.ts";
import { ArtifactStore } from "./store.ts";

/**
 * Opens the store at a path, `file:///path` or `memory:` (a new one, in this process), making it when it isn't there.
 * @throws AppError `invalid_request` for any other address; `unavailable` when the place can't be written to or does not keep the
 * promises of a {@link StoreDriver}.
 */
export async function openStore(url: string): Promise<ArtifactStore> {
  const driver = driverFor(url);
  await probe(driver);
  return new ArtifactStore(driver);
}

function driverFor(url: string): StoreDriver {
  if (url === "memory:") return new MemoryDriver();
  if (url.startsWith("file://")) return new FsDriver(fileURLToPath(url));
  if (url === "" || /^[a-z][a-z0-9+.-]+:/.test(url))
    throw new AppError("invalid_request", `the store's address "${url}" must be a path, file:///path or memory:`);
  return new FsDriver(url);
}

/** Writes one key twice and refuses a place that lets the second write through: there two jobs would get one version. */
export async function probe(driver: StoreDriver): Promise<void> {
  const key = `tmp/probe-${randomUUID()}`;
  const encoder = new TextEncoder();
  try {
    const first = await driver.create(key, encoder.encode("first"));
    const second = await driver.create(key, encoder.encode("second"));
    const kept = new TextDecoder().decode(await driver.read(key));
    if (!first || second || kept !== "first")
      throw new AppError("unavailable", `the store at ${driver.location} overwrites what is there: it can't be used`);
  } finally {
    await driver.remove(key);
  }
}
