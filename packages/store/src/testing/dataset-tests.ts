import { describe, expect, it } from "vitest";
import { keys } from "../keys.ts";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

const fileOf = (content: number) => new Uint8Array(3000).fill(content);
const content = {
  inputShape: [2, 2, 1],
  labels: ["cat", "dog"],
  preprocessing: { scale: 1 / 255, offset: 0 },
  samples: { train: 4, test: 2 },
};
const pets = { name: "pets", actor: "me", content };

/** A store whose data set `pets` has two versions. */
async function withPets(makeDriver: MakeDriver) {
  const { driver, again } = await makeDriver();
  const store = new ArtifactStore(driver);
  const first = await store.datasets.add(fileOf(1), pets);
  const second = await store.datasets.add(fileOf(2), pets);
  return { driver, store, other: () => new ArtifactStore(again()), first, second };
}

export function datasetTests(makeDriver: MakeDriver): void {
  describe("an uploaded data set", () => {
    it("gets the next version, and every process reads it", async () => {
      const { other, first, second } = await withPets(makeDriver);
      expect(first).toEqual({
        ...content,
        name: "pets",
        version: 1,
        digest: expect.stringMatching(/^sha256:/),
        size: 3000,
        actor: "me",
        createdAt: expect.any(String),
      });
      expect(second).toMatchObject({ version: 2 });
      await other().datasets.add(fileOf(1), { ...pets, name: "deleted" });
      expect((await other().datasets.list()).map(({ name, version }) => `${name}@${version}`)).toEqual([
        "deleted@1",
        "pets@1",
        "pets@2",
      ]);
      expect(await other().datasets.versions("pets")).toEqual([first, second]);
      expect(await other().datasets.find("pets", 1)).toEqual(first);
      expect(await other().datasets.readFile(second)).toEqual(fileOf(2));
    });

    it("is the newest version again when the same comes again, and another when it is read otherwise", async () => {
      const { other, second } = await withPets(makeDriver);
      const again = await Promise.all([1, 2].map(() => other().datasets.add(fileOf(2), { ...pets, actor: "another" })));
      expect(again).toEqual([second, second]);
      const scaled = { ...content, preprocessing: { scale: 2, offset: 0 } };
      expect(await other().datasets.add(fileOf(2), { ...pets, content: scaled })).toMatchObject({ version: 3 });
      expect(await other().datasets.add(fileOf(1), pets)).toMatchObject({ version: 4 });
    });

    it("has one version for each of many that come at once", async () => {
      const { other } = await withPets(makeDriver);
      const made = await Promise.all([3, 4, 5, 5].map((each) => other().datasets.add(fileOf(each), pets)));
      const versions = made.map(({ version }) => version);
      // The two that are the same are one version, unless another comes between them.
      expect(new Set(versions.slice(0, 3)).size).toBe(3);
      const numbers = [...new Set(versions)].toSorted((a, b) => a - b);
      expect(numbers).toEqual([3, 4, 5, 6].slice(0, numbers.length));
      expect(await other().datasets.versions("pets")).toHaveLength(numbers.length + 2);
    });

    it("that is not there is not found, and the error says what is", async () => {
      const { store } = await withPets(makeDriver);
      await expect(store.datasets.find("pets", 3)).rejects.toThrow("the data set pets has no version 3; it has 1, 2");
      const missing = 'there is no uploaded data set "cars"; the store has pets';
      await expect(store.datasets.find("cars", 1)).rejects.toThrow(missing);
      await expect(store.datasets.versions("cars")).rejects.toMatchObject({ code: "not_found" });
      await expect(store.datasets.add(fileOf(1), { ...pets, name: "../x" })).rejects.toMatchObject({
        code: "invalid_request",
      });
    });

    it("is neither garbage nor damage, beside models", async () => {
      const { store, other } = await withPets(makeDriver);
      await store.publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
      await store.putContent(fileOf(9));
      expect((await store.collect({ delete: true, graceMs: 0 })).blobs.count).toBe(1);
      expect(await other().audit()).toMatchObject({ blobs: 5, versions: 1, datasets: 2, issues: [] });
      expect(await other().usage()).toMatchObject({
        artifacts: 1,
        datasets: 2,
        used: { blobs: 5 },
        unused: { blobs: 0 },
      });
      expect(await other().models()).toHaveLength(1);
    });

    it("that is damaged is named, and mended when it is uploaded again", async () => {
      const { driver, other, first, second } = await withPets(makeDriver);
      await driver.replace(keys.blob(first.digest), new Uint8Array(9));
      await driver.remove(keys.blob(second.digest));
      await expect(other().datasets.readFile(first)).rejects.toMatchObject({ code: "corrupt" });
      await expect(other().datasets.readFile(second)).rejects.toThrow(/pets@2 is damaged: blobs.* is missing/);
      expect((await other().audit()).issues.map(({ path }) => path)).toEqual([
        keys.blob(first.digest),
        "datasets/pets/1.json",
        "datasets/pets/2.json",
      ]);
      expect(await other().datasets.add(fileOf(2), pets)).toEqual(second);
      expect(await other().datasets.readFile(second)).toEqual(fileOf(2));
      await driver.remove("datasets/pets/2.json");
      await driver.create("datasets/pets/2.json", new Uint8Array(4));
      await expect(other().collect({ delete: true, graceMs: 0 })).rejects.toMatchObject({ code: "corrupt" });
      expect((await other().audit()).issues).toContainEqual({
        path: "datasets/pets/2.json",
        message: expect.stringContaining("not a valid record"),
      });
    });

    it("can be deleted: its number is not given again, and its file goes with a collection", async () => {
      const { store, other, first, second } = await withPets(makeDriver);
      const deletion = await store.datasets.delete("pets", 2, "me");
      expect(deletion).toMatchObject({ name: "pets", version: 2, digest: second.digest, actor: "me" });
      expect(await other().datasets.delete("pets", 2, "another")).toEqual(deletion);
      expect([await other().datasets.isDeleted("pets", 2), await other().datasets.isDeleted("pets", 1)]).toEqual([
        true,
        false,
      ]);
      expect(await other().datasets.list()).toEqual([first]);
      await expect(other().datasets.find("pets", 2)).rejects.toThrow(
        "has no version 2 any more: it was deleted; it has 1",
      );
      expect((await store.collect({ delete: true })).blobs.count).toBe(0);
      expect((await store.collect({ delete: true, graceMs: 0 })).blobs.count).toBe(1);
      expect(await other().audit()).toMatchObject({ datasets: 1, issues: [] });
      expect(await other().datasets.add(fileOf(2), pets)).toMatchObject({ version: 3 });
      await expect(store.datasets.delete("pets", 7, "me")).rejects.toMatchObject({ code: "not_found" });
    });
  });
}
