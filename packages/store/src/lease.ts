import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { z } from "zod";
import type { StoreDriver } from "./driver.ts";
import { keys } from "./keys.ts";
import { createRecord, readRecord } from "./records.ts";

/*
 * A publication may find content that is there already while a collection is about to remove it. Each announces itself first and looks
 * for the other then: a publication writes its lease and then waits until the collections that it sees are over; a collection writes its
 * mark and then reads the leases. So whichever comes second sees the first. No clocks are compared: a collection ends by its own clock
 * within `collectionMs`, and a publication counts a mark as left behind that it has itself watched for longer than that.
 */

/** For how long a round of a collection begins to remove things. */
export const collectionMs = 10_000;
/** How long a mark is watched before it counts as left behind by a process that was killed: a round, and all attempts of its last removal. */
const patienceMs = 180_000;
const pollMs = 100;

const lease = z.object({ digests: z.array(z.string()) });

/**
 * Does `work` while nothing that has one of these digests is collected.
 * @param work is given a function that throws AppError `unavailable` when the lease was removed because it was too old.
 */
export async function underLease<T>(
  driver: StoreDriver,
  digests: string[],
  work: (held: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const key = keys.lease(randomUUID());
  await createRecord(driver, key, { digests });
  try {
    await waitForCollections(driver);
    return await work(async () => {
      if ((await driver.stat(key)) === undefined) throw new AppError("unavailable", `${key} has lapsed: publish again`);
    });
  } finally {
    // A lease that stays behind is collected when it is old; that must not hide how the work ended.
    await driver.remove(key).catch(() => {});
  }
}

/** The digests under any lease. */
export async function leasedDigests(driver: StoreDriver): Promise<Set<string>> {
  const found = await Promise.all((await driver.list("leases/")).map((key) => readRecord(driver, key, lease)));
  return new Set(found.flatMap((one) => one?.digests ?? []));
}

/** Does `work` under a collection's mark. */
export async function underMark<T>(driver: StoreDriver, work: () => Promise<T>): Promise<T> {
  const key = keys.collection(randomUUID());
  await createRecord(driver, key, {});
  try {
    return await work();
  } finally {
    await driver.remove(key);
  }
}

/** Waits until the collections that are going on now are over, and removes the marks of those that were killed. */
export async function waitForCollections(driver: StoreDriver, patience = patienceMs): Promise<void> {
  const began = performance.now();
  const marks = new Set(await driver.list("collections/"));
  while (marks.size > 0) {
    await delay(pollMs);
    const left = new Set(await driver.list("collections/"));
    for (const key of marks) {
      if (!left.has(key)) marks.delete(key);
      else if (performance.now() - began > patience) await driver.remove(key);
    }
  }
}
