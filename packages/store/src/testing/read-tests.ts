import { describe, expect, it } from "vitest";
import { keys } from "../keys.ts";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

async function published(makeDriver: MakeDriver) {
  const { driver, again } = await makeDriver();
  const store = new ArtifactStore(driver);
  const draft = exampleDraft("content");
  const record = await store.publish(draft, { name: "digits", alias: "prod", jobId: "job1", actor: "me" });
  return { driver, again, store, draft, record, manifest: await store.manifest(record.digest) };
}

export function readTests(makeDriver: MakeDriver): void {
  describe("reading", () => {
    it("gives the files back by path and by role", async () => {
      const { store, draft, manifest } = await published(makeDriver);
      expect(await store.readFile(manifest, "weights")).toEqual(draft.files[1]?.bytes);
      expect(await store.readFile(manifest, "model.json")).toEqual(draft.files[0]?.bytes);
      await expect(store.readFile(manifest, "onnx")).rejects.toThrow(
        'no file "onnx"; it has model.json (tfjs), weights.bin (weights)',
      );
    });

    it("resolves a name, a version, an alias and a digest", async () => {
      const { store, record } = await published(makeDriver);
      const second = await store.publish(exampleDraft("newer"), { name: "digits", jobId: "job2", actor: "me" });
      const first = { digest: record.digest, name: "digits", version: 1 };
      expect(await store.resolve("digits@1")).toEqual(first);
      expect(await store.resolve("digits@prod")).toEqual(first);
      expect(await store.resolve(record.digest)).toEqual({ digest: record.digest });
      expect(await store.resolve("digits")).toEqual({ digest: second.digest, name: "digits", version: 2 });
    });

    it.each([
      ["letters", 'no model "letters"; the store has digits'],
      ["digits@7", "no version 7; it has 1"],
      ["digits@beta", 'no alias "beta"; it has prod'],
      [`sha256:${"0".repeat(64)}`, "no artifact sha256:000"],
    ])("says what there is when %s isn't", async (reference, message) => {
      const { store } = await published(makeDriver);
      await expect(store.resolve(reference)).rejects.toMatchObject({
        code: "not_found",
        message: expect.stringContaining(message),
      });
    });

    it.each(["$step", "../x", "a@b@c", ""])("refuses the reference %j", async (reference) => {
      const { store } = await published(makeDriver);
      await expect(store.resolve(reference)).rejects.toMatchObject({ code: "invalid_request" });
    });

    it("knows a file's digest from an artifact's", async () => {
      const { store, manifest } = await published(makeDriver);
      await expect(store.manifest(manifest.files[0]?.digest ?? "")).rejects.toMatchObject({ code: "not_found" });
    });

    it("lists names with their versions and aliases", async () => {
      const { store, record } = await published(makeDriver);
      await store.publish(exampleDraft("b"), { name: "cats", jobId: "job9", actor: "me" });
      expect(await store.models()).toEqual([
        { name: "cats", versions: [1], aliases: {} },
        {
          name: "digits",
          versions: [1],
          aliases: { prod: { version: 1, digest: record.digest, generation: 1, actor: "me", at: expect.any(String) } },
        },
      ]);
    });

    it("orders versions as numbers", async () => {
      const { store } = await published(makeDriver);
      for (let n = 2; n <= 11; n++)
        await store.publish(exampleDraft("x"), { name: "digits", jobId: `j${n}`, actor: "me" });
      expect((await store.model("digits")).versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      expect(await store.resolve("digits")).toMatchObject({ version: 11 });
    });
  });
}

export function damageTests(makeDriver: MakeDriver): void {
  describe("damage", () => {
    it.each([
      ["longer", (bytes: Uint8Array) => Uint8Array.of(...bytes, 0), "bytes, not"],
      ["truncated", (bytes: Uint8Array) => bytes.slice(1), "bytes, not"],
      ["changed in one bit", (bytes: Uint8Array) => bytes.with(3, (bytes[3] ?? 0) ^ 1), "another SHA-256"],
    ])("notices a file that is %s, and names it", async (_, damage, reason) => {
      const { driver, store, manifest, record } = await published(makeDriver);
      const key = keys.blob(manifest.files[1]?.digest ?? "");
      const bytes = (await driver.read(key)) ?? new Uint8Array();
      await driver.remove(key);
      await driver.create(key, damage(bytes));
      await expect(store.readFile(manifest, "weights")).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringMatching(new RegExp(`weights.bin .*${reason}`)),
      });
      expect(await store.verify(record.digest)).toMatchObject([{ path: "weights.bin" }]);
    });

    it("verifies a sound artifact, and names a missing file and a damaged manifest", async () => {
      const { driver, store, manifest, record } = await published(makeDriver);
      expect(await store.verify(record.digest)).toEqual([]);
      await driver.remove(keys.blob(manifest.files[0]?.digest ?? ""));
      expect(await store.verify(record.digest)).toMatchObject([
        { path: "model.json", message: expect.stringContaining("is missing") },
      ]);
      await driver.remove(keys.blob(record.digest));
      await driver.create(keys.blob(record.digest), new TextEncoder().encode("{}"));
      await expect(store.verify(record.digest)).rejects.toMatchObject({ code: "corrupt" });
    });

    it.each([
      ["of its size", (bytes: Uint8Array) => bytes.with(3, (bytes[3] ?? 0) ^ 1)],
      ["of another size", (bytes: Uint8Array) => bytes.slice(1)],
    ])("%s is mended by publishing the same content again, for every version that has it", async (_, damage) => {
      const { driver, again, store, draft, manifest, record } = await published(makeDriver);
      const blobs = [record.digest, ...manifest.files.map(({ digest }) => digest)].map((digest) => keys.blob(digest));
      for (const key of blobs) await driver.replace(key, damage((await driver.read(key)) ?? new Uint8Array()));
      expect((await store.audit()).issues.length).toBeGreaterThan(blobs.length);
      const other = { name: "other", actor: "me" };
      await Promise.all(["2", "3", "2"].map((jobId) => new ArtifactStore(again()).publish(draft, { ...other, jobId })));
      expect(await new ArtifactStore(again()).audit()).toMatchObject({ versions: 3, issues: [] });
      expect(await store.verify(record.digest)).toEqual([]);
    });
  });
}
