import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

const measurements = { trainingSeconds: 3 };
const to = { name: "again", alias: "prod", jobId: "job2", actor: "me" };

async function published(makeDriver: MakeDriver) {
  const { driver, again } = await makeDriver();
  const store = new ArtifactStore(driver);
  const { digest } = await store.publish(exampleDraft("a"), { name: "first", jobId: "job1", actor: "me" });
  return { driver, again, store, digest };
}

export function stepTests(makeDriver: MakeDriver): void {
  describe("publishing what is there again", () => {
    it("gives it a version and an alias of another name, once for each job, and writes no content", async () => {
      const { driver, store, digest } = await published(makeDriver);
      const before = await driver.list("blobs/");
      const record = await store.republish(digest, measurements, { ...to, epoch: 2 });
      expect(record).toMatchObject({ name: "again", version: 1, digest, jobId: "job2", epoch: 2, measurements });
      expect(await store.republish(digest, {}, to)).toEqual(record);
      expect(await store.resolve("again@prod")).toMatchObject({ digest, version: 1 });
      expect(await driver.list("blobs/")).toEqual(before);
    });

    it("asks the guard, and lets nothing be seen when it refuses", async () => {
      const { store, digest } = await published(makeDriver);
      const guard = () => Promise.reject(new AppError("conflict", "overtaken"));
      await expect(store.republish(digest, {}, { ...to, guard })).rejects.toThrow("overtaken");
      expect((await store.models()).map(({ name }) => name)).toEqual(["first"]);
    });

    it("is safe from a collection that begins meanwhile", async () => {
      const { driver, again, store, digest } = await published(makeDriver);
      await driver.remove("models/first/versions/1.json");
      const guard = async () => void (await new ArtifactStore(again()).collect({ delete: true, graceMs: 0 }));
      await store.republish(digest, {}, { ...to, guard });
      expect(await store.verify(digest)).toEqual([]);
    });

    it("refuses what is not there, or not whole", async () => {
      const { driver, store, digest } = await published(makeDriver);
      const absent = `sha256:${"0".repeat(64)}`;
      await expect(store.republish(absent, {}, to)).rejects.toMatchObject({ code: "not_found" });
      const { files } = await store.manifest(digest);
      await driver.remove(`blobs/sha256/${files[0]?.digest.slice(7)}`);
      await expect(store.republish(digest, {}, to)).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringContaining("model.json"),
      });
      expect((await store.models()).map(({ name }) => name)).toEqual(["first"]);
    });
  });

  describe("the record of a step", () => {
    it("is what was kept last under its key", async () => {
      const { store, again } = await published(makeDriver).then((made) => ({ ...made, again: made.again() }));
      const record = (jobId: string) => ({ jobId, result: { metrics: { accuracy: 1 } } });
      expect(await store.step("a1")).toBeUndefined();
      await store.keepStep("a1", record("job1"));
      await store.keepStep("a1", record("job2"));
      const other = new ArtifactStore(again);
      expect(await other.step("a1")).toEqual(record("job2"));
      expect(await other.step("a2")).toBeUndefined();
    });
  });
}
