import type { Entry, StoreDriver } from "./driver.ts";
import { keys } from "./keys.ts";
import { collectionMs, leasedDigests, underLease, underMark } from "./lease.ts";
import { inParallel } from "./parallel.ts";
import { createRecord } from "./records.ts";

const width = 16;
const prefix = "uploads/";

/** Whether a job has ended, so that it needs no upload any more. */
export type HasEnded = (jobId: string) => Promise<boolean>;

/** A job's claim on an upload, which keeps it from being collected. */
interface Claim {
  entry: Entry;
  digest: string;
  jobId: string;
}

/** The jobs that take uploads: each has a claim on what it takes, `uploads/<hex>/<job>.json`, until a collection finds that it has ended. */
export class Claims {
  readonly #driver: StoreDriver;

  constructor(driver: StoreDriver) {
    this.#driver = driver;
  }

  /** Does `work` while none of this content is collected, so that what was seen to be there can be claimed. */
  holding<T>(digests: string[], work: () => Promise<T>): Promise<T> {
    return underLease(this.#driver, digests, work);
  }

  /** Whether there is content of a digest. */
  async has(digest: string): Promise<boolean> {
    return (await this.#driver.stat(keys.blob(digest))) !== undefined;
  }

  /** Keeps content for a job; doing it twice is as once. */
  async add(digest: string, jobId: string): Promise<void> {
    await createRecord(this.#driver, keys.claim(digest, jobId), {});
  }
}

/** The digests that jobs have claims on. */
export async function claimedDigests(driver: StoreDriver, but: readonly Entry[] = []): Promise<Set<string>> {
  const without = new Set(but.map(({ key }) => key));
  return new Set((await claims(driver)).filter(({ entry }) => !without.has(entry.key)).map(({ digest }) => digest));
}

/** The claims of jobs that have ended. A job that is submitted, or retried, meanwhile has what it takes under a lease. */
export async function endedClaims(driver: StoreDriver, hasEnded: HasEnded): Promise<Entry[]> {
  const leased = await leasedDigests(driver);
  const ended: Entry[] = [];
  await inParallel(await claims(driver), width, async ({ entry, digest, jobId }) => {
    if (!leased.has(digest) && (await hasEnded(jobId))) ended.push(entry);
  });
  return ended;
}

/** Removes the claims of jobs that have ended, for as long as a round of a collection may take. @returns those removed. */
export function releaseClaims(driver: StoreDriver, hasEnded: HasEnded): Promise<Entry[]> {
  return underMark(driver, async () => {
    const end = performance.now() + collectionMs;
    const removed: Entry[] = [];
    await inParallel(await endedClaims(driver, hasEnded), width, async (entry) => {
      if (performance.now() > end) return;
      await driver.remove(entry.key);
      removed.push(entry);
    });
    return removed;
  });
}

async function claims(driver: StoreDriver): Promise<Claim[]> {
  return (await driver.entries(prefix)).map((entry) => {
    const [hex = "", file = ""] = entry.key.slice(prefix.length).split("/");
    return { entry, digest: `sha256:${hex}`, jobId: file.replace(/\.json$/, "") };
  });
}
