import { AppError, type VersionRecord } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

const nothing = { count: 0, bytes: 0 };

/** Publishes content up to its version record, as a worker that was overtaken does. */
async function abandon(store: ArtifactStore, content: string): Promise<void> {
  const guard = () => Promise.reject(new AppError("conflict", "overtaken"));
  const publishing = store.publish(exampleDraft(content), { name: "m", jobId: content, actor: "me", guard });
  await expect(publishing).rejects.toThrow("overtaken");
}

async function withLeftovers(makeDriver: MakeDriver) {
  const { driver, again } = await makeDriver();
  const store = new ArtifactStore(driver);
  const teacher = await store.publish(exampleDraft("teacher"), { name: "teacher", jobId: "1", actor: "me" });
  const parents = [{ role: "teacher" as const, digest: teacher.digest }];
  const student = await store.publish(exampleDraft("student", { parents }), {
    name: "student",
    alias: "prod",
    jobId: "2",
    actor: "me",
  });
  await abandon(store, "late");
  return { driver, again, store, teacher, student };
}

export function collectTests(makeDriver: MakeDriver): void {
  describe("garbage collection", () => {
    it("says what it would remove, and removes nothing unless told", async () => {
      const { driver, store } = await withLeftovers(makeDriver);
      const before = await driver.list("");
      const { blobs, ...rest } = await store.collect({ graceMs: 0 });
      expect(blobs.count).toBe(3);
      expect(rest).toEqual({ steps: nothing, scratch: nothing, leftovers: nothing });
      expect(await driver.list("")).toEqual(before);
    });

    it("removes what a late worker left, and nothing that a version leads to", async () => {
      const { driver, again, store, teacher, student } = await withLeftovers(makeDriver);
      const kept = (await driver.list("")).filter((key) => !key.startsWith("blobs/"));
      expect((await store.collect({ delete: true, graceMs: 0 })).blobs.count).toBe(3);
      expect(await driver.list("blobs/")).toHaveLength(6);
      expect((await driver.list("")).filter((key) => !key.startsWith("blobs/"))).toEqual(kept);
      const other = new ArtifactStore(again());
      for (const { digest } of [teacher, student]) expect(await other.verify(digest)).toEqual([]);
      expect((await other.collect({ delete: true, graceMs: 0 })).blobs).toEqual(nothing);
    });

    it("leaves young content alone", async () => {
      const { driver, store } = await withLeftovers(makeDriver);
      const all = { blobs: nothing, steps: nothing, scratch: nothing, leftovers: nothing };
      expect(await store.collect({ delete: true })).toEqual(all);
      expect(await driver.list("blobs/")).toHaveLength(9);
    });

    it("keeps the lineage of an artifact whose parent has no name any more", async () => {
      const { driver, store, teacher, student } = await withLeftovers(makeDriver);
      await driver.remove("models/teacher/versions/1.json");
      expect((await store.collect({ delete: true, graceMs: 0 })).blobs.count).toBe(5);
      expect((await store.lineage(student.digest)).parents).toMatchObject([{ digest: teacher.digest, names: [] }]);
      expect(await store.verify(student.digest)).toEqual([]);
    });

    it("leaves what a running publication has written, and what it found there", async () => {
      const { store, again } = await withLeftovers(makeDriver);
      const guard = async () => {
        await new ArtifactStore(again()).collect({ delete: true, graceMs: 0 });
      };
      const { digest } = await store.publish(exampleDraft("late"), { name: "m", jobId: "4", actor: "me", guard });
      expect(await store.verify(digest)).toEqual([]);
    });

    it("removes the scratch of jobs that have written nothing for long", async () => {
      const { store } = await withLeftovers(makeDriver);
      await store.scratch("old").write("1", new Uint8Array(10));
      expect((await store.collect({ delete: true })).scratch).toEqual(nothing);
      expect((await store.collect({ delete: true, scratchMs: 0 })).scratch).toEqual({ count: 1, bytes: 42 });
      expect(await store.scratch("old").list()).toEqual([]);
    });

    it("removes what is remembered of steps whose artifact no version has, or that is damaged", async () => {
      const { driver, store, teacher, student } = await withLeftovers(makeDriver);
      const step = ({ name, version, digest }: VersionRecord) => {
        return { jobId: "1", result: { artifact: { name, version, digest }, metrics: {} } };
      };
      await store.keepStep("a1", step(teacher));
      await store.keepStep("a2", step(student));
      await driver.create("steps/a3.json", new Uint8Array(5));
      await store.deleteVersion("teacher", 1, { actor: "me" });
      expect((await store.collect({ delete: true })).steps).toEqual(nothing);
      expect((await store.collect({ delete: true, graceMs: 0 })).steps.count).toBe(2);
      expect(await driver.list("steps/")).toEqual(["steps/a2.json"]);
      expect((await store.usage()).steps).toEqual({ records: 1, stored: expect.any(Number) });
    });

    it("removes nothing when a manifest is damaged, because its files can't be known", async () => {
      const { driver, store, student } = await withLeftovers(makeDriver);
      const key = `blobs/sha256/${student.digest.slice(7)}`;
      await driver.remove(key);
      await driver.create(key, new Uint8Array(3));
      const before = await driver.list("");
      await expect(store.collect({ delete: true, graceMs: 0 })).rejects.toMatchObject({ code: "corrupt" });
      expect(await driver.list("")).toEqual(before);
    });
  });
}
