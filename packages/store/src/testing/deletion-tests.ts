import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import type { StoreDriver } from "../driver.ts";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

const me = { actor: "me" };

/** A store whose model `m` has two versions, of which the alias `prod` points to the first. */
async function withVersions(makeDriver: MakeDriver) {
  const { driver, again } = await makeDriver();
  const store = new ArtifactStore(driver);
  const first = await store.publish(exampleDraft("a"), { name: "m", alias: "prod", jobId: "1", ...me });
  const second = await store.publish(exampleDraft("b"), { name: "m", jobId: "2", ...me });
  return { driver, store, other: () => new ArtifactStore(again()), first, second };
}

/** A view on a place for a process that is killed at one of its calls. */
function dyingAt(place: StoreDriver, fatal: number): StoreDriver {
  let calls = 0;
  const call = <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    return calls >= fatal ? Promise.reject(new AppError("unavailable", "killed")) : work();
  };
  return {
    location: place.location,
    read: (key) => call(() => place.read(key)),
    create: (key, bytes) => call(() => place.create(key, bytes)),
    replace: (key, bytes) => call(() => place.replace(key, bytes)),
    stat: (key) => call(() => place.stat(key)),
    list: (prefix) => call(() => place.list(prefix)),
    entries: (prefix) => call(() => place.entries(prefix)),
    remove: (key) => call(() => place.remove(key)),
  };
}

export function deletionTests(makeDriver: MakeDriver): void {
  describe("deleting a version", () => {
    it("takes it away for everybody, and its number is not given again", async () => {
      const { store, other, second } = await withVersions(makeDriver);
      expect(await store.deleteVersion("m", 2, me)).toMatchObject({ name: "m", version: 2, digest: second.digest });
      expect(await other().model("m")).toMatchObject({ versions: [1], aliases: { prod: { version: 1 } } });
      expect(await other().resolve("m")).toMatchObject({ version: 1 });
      await expect(other().resolve("m@2")).rejects.toThrow("m has no version 2 any more: it was deleted; it has 1");
      expect([await other().isDeleted("m", 2), await other().isDeleted("m", 1)]).toEqual([true, false]);
      expect(await store.publish(exampleDraft("c"), { name: "m", jobId: "3", ...me })).toMatchObject({ version: 3 });
    });

    it("twice is as once; what there never was is not found", async () => {
      const { store, other } = await withVersions(makeDriver);
      const deletions = await Promise.all([store, other()].map((each) => each.deleteVersion("m", 2, me)));
      expect(deletions[0]).toEqual(deletions[1]);
      expect(await store.deleteVersion("m", 2, { actor: "another" })).toEqual(deletions[0]);
      await expect(store.deleteVersion("m", 3, me)).rejects.toThrow("m has no version 3; it has 1");
      await expect(store.deleteVersion("n", 1, me)).rejects.toMatchObject({ code: "not_found" });
      await expect(store.deleteVersion("../m", 1, me)).rejects.toMatchObject({ code: "invalid_request" });
    });

    it("is refused where an alias points to it, unless forced: the alias counts as none then, until it is moved", async () => {
      const { store } = await withVersions(makeDriver);
      await expect(store.deleteVersion("m", 1, me)).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringContaining("m@1 is what m@prod stands for"),
      });
      await store.deleteVersion("m", 1, { ...me, force: true });
      expect((await store.model("m")).aliases).toEqual({});
      await expect(store.resolve("m@prod")).rejects.toThrow(
        "version 1, which it pointed to, was deleted; it has no alias",
      );
      expect(await store.setAlias("m", "prod", 2, { ...me, generation: 0 })).toMatchObject({ generation: 2 });
      expect(await store.resolve("m@prod")).toMatchObject({ version: 2 });
    });

    it("leaves a name whose versions are all gone out, but not its numbers", async () => {
      const { store } = await withVersions(makeDriver);
      for (const version of [1, 2]) await store.deleteVersion("m", version, { ...me, force: true });
      expect(await store.models()).toEqual([]);
      await expect(store.resolve("m")).rejects.toThrow('there is no model "m" (all its versions were deleted)');
      expect(await store.publish(exampleDraft("c"), { name: "m", jobId: "3", ...me })).toMatchObject({ version: 3 });
    });

    it("is not undone by its job when that publishes again, which moves no alias there either", async () => {
      const { store } = await withVersions(makeDriver);
      await store.deleteVersion("m", 2, me);
      const again = { name: "m", alias: "prod", jobId: "2", ...me };
      expect(await store.publish(exampleDraft("b"), again)).toMatchObject({ version: 2 });
      expect(await store.model("m")).toMatchObject({ versions: [1], aliases: { prod: { version: 1 } } });
    });
  });

  describe("a deleted version", () => {
    it("is collected after the grace, but for what another version or a descendant needs", async () => {
      const { store, first, second } = await withVersions(makeDriver);
      await store.publish(exampleDraft("a"), { name: "same", jobId: "3", ...me });
      const parents = [{ role: "base" as const, digest: second.digest }];
      const { digest } = await store.publish(exampleDraft("c", { parents }), { name: "child", jobId: "4", ...me });
      for (const version of [1, 2]) await store.deleteVersion("m", version, { ...me, force: true });
      expect((await store.collect({ delete: true })).blobs.count).toBe(0);
      expect(await store.verify(second.digest)).toEqual([]);
      expect((await store.collect({ delete: true, graceMs: 0 })).blobs.count).toBe(2);
      expect(await store.verify(first.digest)).toEqual([]);
      expect(await store.verify(second.digest)).toMatchObject([{ path: "model.json" }, { path: "weights.bin" }]);
      expect(await store.lineage(digest)).toMatchObject({ parents: [{ digest: second.digest, names: [] }] });
      expect(await store.audit()).toMatchObject({ versions: 2, aliases: 1, issues: [] });
    });

    it("is there or gone, and nothing else, wherever its deletion was killed", async () => {
      const { driver, store } = await withVersions(makeDriver);
      let killed = 0;
      for (let done = false; !done; killed++) {
        const dying = new ArtifactStore(dyingAt(driver, killed + 1));
        done = await dying.deleteVersion("m", 2, me).then(
          () => true,
          () => false,
        );
        expect((await store.model("m")).versions).toEqual((await store.isDeleted("m", 2)) ? [1] : [1, 2]);
        expect(await store.audit()).toMatchObject({ issues: [] });
      }
      expect(killed).toBeGreaterThan(3);
      expect((await store.model("m")).versions).toEqual([1]);
    });
  });
}
