import { describe, expect, it } from "vitest";
import type { StoreDriver } from "../driver.ts";
import { keys } from "../keys.ts";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

async function replace(driver: StoreDriver, key: string, bytes: Uint8Array): Promise<void> {
  await driver.remove(key);
  await driver.create(key, bytes);
}

async function published(makeDriver: MakeDriver) {
  const { driver, again } = await makeDriver();
  const store = new ArtifactStore(driver);
  const record = await store.publish(exampleDraft("a"), { name: "m", alias: "prod", jobId: "1", actor: "me" });
  const [file] = (await store.manifest(record.digest)).files;
  return { driver, record, file: keys.blob(file?.digest ?? ""), audit: () => new ArtifactStore(again()).audit() };
}

export function auditTests(makeDriver: MakeDriver): void {
  describe("an audit", () => {
    it("finds a sound store sound, and counts what it has read", async () => {
      const { audit } = await published(makeDriver);
      expect(await audit()).toEqual({ blobs: 3, versions: 1, aliases: 1, datasets: 0, steps: 0, issues: [] });
    });

    it("names a damaged file and the version that needs it", async () => {
      const { driver, file, audit } = await published(makeDriver);
      await replace(driver, file, new Uint8Array(9));
      expect((await audit()).issues).toMatchObject([
        { path: file, message: expect.stringContaining("SHA-256") },
        { path: "models/m/versions/1.json", message: expect.stringContaining("model.json is missing or damaged") },
      ]);
    });

    it("names a version whose manifest is missing, and one whose record is damaged", async () => {
      const { driver, record, audit } = await published(makeDriver);
      await driver.remove(keys.blob(record.digest));
      expect((await audit()).issues).toMatchObject([
        { path: "models/m/versions/1.json", message: expect.stringContaining("no sound manifest") },
      ]);
      await replace(driver, "models/m/versions/1.json", new Uint8Array(5));
      expect((await audit()).issues).toMatchObject([
        { path: "models/m/versions/1.json", message: expect.stringContaining("not a valid record") },
      ]);
    });

    it("reads what is remembered of steps: damage is named, an artifact that is gone is none", async () => {
      const { driver, audit } = await published(makeDriver);
      const artifact = { name: "m", version: 7, digest: `sha256:${"a".repeat(64)}` };
      await new ArtifactStore(driver).keepStep("a1", { jobId: "1", result: { artifact, metrics: {} } });
      expect(await audit()).toMatchObject({ steps: 1, issues: [] });
      await replace(driver, "steps/a1.json", new Uint8Array(5));
      expect(await audit()).toMatchObject({
        steps: 1,
        issues: [{ path: "steps/a1.json", message: expect.stringContaining("not a valid record") }],
      });
    });

    it("names an alias whose version is missing", async () => {
      const { driver, audit } = await published(makeDriver);
      const store = new ArtifactStore(driver);
      await store.publish(exampleDraft("b"), { name: "m", alias: "next", jobId: "2", actor: "me" });
      await driver.remove("models/m/versions/2.json");
      expect((await audit()).issues).toMatchObject([
        { path: "models/m/refs/next/1.json", message: expect.stringContaining("version 2, which is missing") },
      ]);
    });
  });
}
