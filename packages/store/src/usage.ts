import type { Entry, StoreDriver } from "./driver.ts";
import { digestOfKey, readDatasetKeys } from "./keys.ts";
import { Reachable } from "./reachable.ts";

/** How much there is, in bytes: `raw` as files are read, `stored` as they lie in the store. */
export interface Usage {
  artifacts: number;
  /** Versions of data sets. */
  datasets: number;
  /** Content that versions lead to. */
  used: { blobs: number; raw: number; stored: number };
  /** Other content: of running and of interrupted publications. */
  unused: { blobs: number; stored: number };
  /** What is remembered of jobs, so that none is done twice. */
  steps: { records: number; stored: number };
  scratch: { stored: number };
}

/** @throws AppError `corrupt` when a record or a manifest is damaged. */
export async function usage(driver: StoreDriver): Promise<Usage> {
  const reachable = new Reachable(driver);
  await reachable.update();
  const used = { blobs: 0, raw: 0, stored: 0 };
  const unused = { blobs: 0, stored: 0 };
  for (const { key, size } of await driver.entries("blobs/")) {
    const digest = digestOfKey(key);
    const part = reachable.sizes.has(digest) ? used : unused;
    part.blobs += 1;
    part.stored += size;
    used.raw += reachable.sizes.get(digest) ?? 0;
  }
  const steps = await driver.entries("steps/");
  const datasets = [...readDatasetKeys(await driver.list("datasets/")).values()];
  return {
    artifacts: reachable.artifacts,
    datasets: datasets.reduce((sum, { versions }) => sum + versions.length, 0),
    used,
    unused,
    steps: { records: steps.length, stored: bytesOf(steps) },
    scratch: { stored: bytesOf(await driver.entries("scratch/")) },
  };
}

function bytesOf(entries: Entry[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
