import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { StoreDriver } from "../driver.ts";
import { keys } from "../keys.ts";
import { ArtifactStore } from "../store.ts";
import type { MakeDriver } from "./test-store.ts";

const bytes = Uint8Array.from({ length: 5000 }, (_, at) => at % 7);
const absent = `sha256:${"0".repeat(64)}`;
const grace = { delete: true, graceMs: 1500 };

export function contentTests(makeDriver: MakeDriver): void {
  describe("content without a name", () => {
    it("is found by its digest, by every process, and is one however often it is stored", async () => {
      const { driver, again } = await makeDriver();
      const store = new ArtifactStore(driver);
      const stored = await Promise.all([1, 2].map(() => new ArtifactStore(again()).putContent(bytes)));
      expect(stored[0]).toEqual({ digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/), size: 5000 });
      expect(stored[1]).toEqual(stored[0]);
      expect(await store.readContent(stored[0]?.digest ?? "")).toEqual(bytes);
      expect(await driver.list("blobs/")).toHaveLength(1);
      expect(await driver.list("leases/")).toEqual([]);
    });

    it("that is not there is not found, and what is no digest is refused", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      await expect(store.readContent(absent)).rejects.toMatchObject({ code: "not_found" });
      await expect(store.readContent("../x")).rejects.toMatchObject({ code: "invalid_request" });
    });

    it("that is damaged is reported, and mended by storing it again", async () => {
      const { driver, again } = await makeDriver();
      const store = new ArtifactStore(driver);
      const { digest } = await store.putContent(bytes);
      await driver.replace(keys.blob(digest), new Uint8Array(9));
      await expect(store.readContent(digest)).rejects.toMatchObject({ code: "corrupt" });
      await new ArtifactStore(again()).putContent(bytes);
      expect(await new ArtifactStore(again()).readContent(digest)).toEqual(bytes);
    });

    it("is kept for the grace of a collection, and goes then", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      const { digest } = await store.putContent(bytes);
      expect((await store.collect({ delete: true })).blobs.count).toBe(0);
      expect(await store.readContent(digest)).toEqual(bytes);
      expect((await store.collect({ delete: true, graceMs: 0 })).blobs.count).toBe(1);
      await expect(store.readContent(digest)).rejects.toMatchObject({ code: "not_found" });
    });

    it("stays while a job that has not ended has a claim on it, however old it is", async () => {
      const { driver, again } = await makeDriver();
      const store = new ArtifactStore(driver);
      const { digest } = await store.putContent(bytes);
      for (const job of ["a", "b", "b"]) await store.claims.add(digest, job);
      const all = { delete: true, graceMs: 0 };
      const ended = new Set(["a"]);
      const hasEnded = async (job: string) => ended.has(job);
      // Nobody can tell of the jobs; then one of two has ended; then both.
      expect((await store.collect(all)).blobs.count).toBe(0);
      expect(await store.collect({ ...all, hasEnded })).toMatchObject({ blobs: { count: 0 }, leftovers: { count: 1 } });
      expect(await new ArtifactStore(again()).readContent(digest)).toEqual(bytes);
      ended.add("b");
      const both = { blobs: { count: 1 }, leftovers: { count: 1 } };
      expect(await store.collect({ graceMs: 0, hasEnded })).toMatchObject(both);
      expect(await store.claims.has(digest)).toBe(true);
      expect(await store.collect({ ...all, hasEnded })).toMatchObject(both);
      expect(await store.claims.has(digest)).toBe(false);
      expect(await driver.list("uploads/")).toEqual([]);
    });

    it("is claimed in time by whoever holds it, also while a collection runs", async () => {
      const { driver, again } = await makeDriver();
      const { digest } = await new ArtifactStore(driver).putContent(bytes);
      const other = new ArtifactStore(again());
      const ended: string[] = ["old"];
      await other.claims.add(digest, "old");
      const late = beforeMark(driver, async () => {
        // The job is open again from here on, and was not when the collection began.
        ended.length = 0;
        await other.claims.holding([digest], () => other.claims.add(digest, "new"));
      });
      const hasEnded = async (job: string) => ended.includes(job);
      expect((await new ArtifactStore(late).collect({ delete: true, graceMs: 0, hasEnded })).blobs.count).toBe(0);
      expect(await other.readContent(digest)).toEqual(bytes);
    });

    it("is young again once it is stored again, also while a collection runs", async () => {
      const { driver, again } = await makeDriver();
      const { digest } = await new ArtifactStore(driver).putContent(bytes);
      await delay(2 * grace.graceMs);
      const late = beforeMark(driver, async () => void (await new ArtifactStore(again()).putContent(bytes)));
      expect((await new ArtifactStore(late).collect(grace)).blobs.count).toBe(0);
      expect(await new ArtifactStore(again()).readContent(digest)).toEqual(bytes);
    });
  });
}

/** A view on a place that calls `work` when a collection that has listed everything begins to remove things. */
function beforeMark(place: StoreDriver, work: () => Promise<void>): StoreDriver {
  return {
    location: place.location,
    read: (key) => place.read(key),
    create: async (key, content) => {
      if (key.startsWith("collections/")) await work();
      return place.create(key, content);
    },
    replace: (key, content) => place.replace(key, content),
    stat: (key) => place.stat(key),
    list: (prefix) => place.list(prefix),
    entries: (prefix) => place.entries(prefix),
    remove: (key) => place.remove(key),
  };
}
