import { randomUUID } from "node:crypto";
import { claimedDigests, endedClaims, releaseClaims, type HasEnded } from "./claims.ts";
import type { Entry, StoreDriver } from "./driver.ts";
import { digestOfKey } from "./keys.ts";
import { collectionMs, leasedDigests, underMark } from "./lease.ts";
import { inParallel } from "./parallel.ts";
import { Reachable } from "./reachable.ts";
import { findStep } from "./steps.ts";

const hour = 3_600_000;
const width = 16;
/** Leases, marks and unfinished files older than this belong to processes that are gone. */
const leftoverMs = 24 * hour;

export interface CollectOptions {
  /** Without it nothing is removed, and what would be is reported. */
  delete?: boolean;
  /** Content younger than this stays, whoever may want it, and so does that of a version which was deleted since. */
  graceMs?: number;
  /** A job's scratch goes when all of it is older than this. */
  scratchMs?: number;
  /** Tells of the jobs that have claims on uploads; without it every claim holds. */
  hasEnded?: HasEnded;
}

interface Amount {
  count: number;
  /** As stored. */
  bytes: number;
}

/** What was removed, or would be. */
export interface Collection {
  /** Content that no version leads to. */
  blobs: Amount;
  /** What is remembered of jobs whose artifact no version has any more, or can't be read. */
  steps: Amount;
  /** What jobs left in their scratch. */
  scratch: Amount;
  /** What killed processes left (unfinished files, leases, marks), and the claims on uploads of jobs that have ended. */
  leftovers: Amount;
}

/**
 * Removes what nothing leads to any more: content outside {@link Reachable}, outside the leases of running publications and without the
 * claim of a job that has not ended, what is remembered of steps whose artifact is gone, the scratch of jobs long gone, and what killed processes left behind. It never removes the record
 * of a version, an alias or a deletion, so no version or generation number is given again.
 * It may be interrupted anywhere and repeated, and runs beside publications and other collections.
 * @throws AppError `corrupt` when a record or a manifest is damaged, before anything is removed.
 */
export async function collect(driver: StoreDriver, options: CollectOptions): Promise<Collection> {
  const { graceMs = 24 * hour, scratchMs = 7 * 24 * hour, hasEnded = async () => false } = options;
  const now = await storeTime(driver);
  const old = (entries: Entry[], ageMs: number) => entries.filter(({ modified }) => modified <= now - ageMs);
  const reachable = new Reachable(driver, now - graceMs);
  const blobs = old(await driver.entries("blobs/"), graceMs);
  // Seen before what is published: a step is remembered after its artifact has a version.
  const steps = old(await driver.entries("steps/"), graceMs);
  const scratch = abandoned(await driver.entries("scratch/"), now - scratchMs);
  const places = await Promise.all(["tmp/", "leases/", "collections/"].map((prefix) => driver.entries(prefix)));
  const leftovers = old(places.flat(), leftoverMs);
  await reachable.update();
  const released = await (options.delete === true ? releaseClaims : endedClaims)(driver, hasEnded);
  const held = await heldDigests(driver, released);
  const unused = blobs.filter((entry) => !mustStay(entry, reachable, held));
  const rest = { steps: await uselessSteps(driver, steps, reachable), scratch, leftovers };
  const found = { blobs: unused, ...rest, leftovers: [...leftovers, ...released] };
  if (options.delete !== true) return amountsOf(found);
  await inParallel(Object.values(rest).flat(), width, ({ key }) => driver.remove(key));
  const stillOld = async () => new Set(old(await driver.entries("blobs/"), graceMs).map(({ key }) => key));
  return amountsOf({ ...found, blobs: await removeUnused(driver, unused, reachable, stillOld) });
}

/** The records of steps that no job can use any more. */
async function uselessSteps(driver: StoreDriver, steps: Entry[], reachable: Reachable): Promise<Entry[]> {
  const useless: Entry[] = [];
  await inParallel(steps, width, async (entry) => {
    const digest = (await findStep(driver, entry.key))?.result.artifact?.digest;
    if (digest === undefined || !reachable.isPublished(digest)) useless.push(entry);
  });
  return useless;
}

/** In rounds, each under a mark of its own, so that no publication waits for long. @returns what was removed. */
async function removeUnused(
  driver: StoreDriver,
  unused: Entry[],
  reachable: Reachable,
  stillOld: () => Promise<Set<string>>,
): Promise<Entry[]> {
  const removed: Entry[] = [];
  const left = unused.values();
  let next = left.next();
  while (next.done !== true) {
    await underMark(driver, async () => {
      const end = performance.now() + collectionMs;
      const held = await heldDigests(driver);
      await reachable.update();
      // What was stored again since it was listed is young, though nothing leads to it.
      const old = await stillOld();
      for (; next.done !== true && performance.now() < end; next = left.next()) {
        if (mustStay(next.value, reachable, held) || !old.has(next.value.key)) continue;
        await driver.remove(next.value.key);
        removed.push(next.value);
      }
    });
  }
  return removed;
}

/** What running publications and submissions have under a lease, and jobs a claim on. @param released claims that count no more. */
async function heldDigests(driver: StoreDriver, released: Entry[] = []): Promise<Set<string>> {
  // Leases first: who gives his back after it was read has a record, or a claim, by then.
  const leased = await leasedDigests(driver);
  return new Set([...leased, ...(await claimedDigests(driver, released))]);
}

function mustStay({ key }: Entry, reachable: Reachable, held: Set<string>): boolean {
  const digest = digestOfKey(key);
  return reachable.sizes.has(digest) || held.has(digest);
}

/** The scratch of jobs that have written nothing since `deadline`. */
function abandoned(entries: Entry[], deadline: number): Entry[] {
  const jobOf = ({ key }: Entry) => key.split("/")[1];
  const alive = new Set(entries.filter(({ modified }) => modified > deadline).map(jobOf));
  return entries.filter((entry) => !alive.has(jobOf(entry)));
}

function amountsOf({ blobs, steps, scratch, leftovers }: Record<keyof Collection, Entry[]>): Collection {
  return {
    blobs: amountOf(blobs),
    steps: amountOf(steps),
    scratch: amountOf(scratch),
    leftovers: amountOf(leftovers),
  };
}

function amountOf(entries: Entry[]): Amount {
  return { count: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) };
}

/** The time by the clock that the ages of keys are told by. */
async function storeTime(driver: StoreDriver): Promise<number> {
  const key = `tmp/time-${randomUUID()}`;
  await driver.create(key, new Uint8Array());
  try {
    const found = (await driver.entries("tmp/")).find((entry) => entry.key === key);
    return found?.modified ?? 0;
  } finally {
    await driver.remove(key);
  }
}
