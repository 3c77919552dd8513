import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

export function publishTests(makeDriver: MakeDriver): void {
  describe("publish", () => {
    it("gives a name's artifacts the versions 1, 2, 3", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      for (const n of [1, 2, 3]) {
        const record = await store.publish(exampleDraft(`m${n}`), { name: "digits", jobId: `job${n}`, actor: "me" });
        expect(record).toMatchObject({ name: "digits", version: n, jobId: `job${n}` });
      }
      expect((await store.versions("digits")).map(({ version }) => version)).toEqual([1, 2, 3]);
    });

    it("publishes a job once, whatever it is repeated with", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      const to = { name: "digits", jobId: "job1", actor: "me" };
      const first = await store.publish(exampleDraft("a"), to);
      await store.publish(exampleDraft("b"), { ...to, jobId: "job2" });
      expect(await store.publish(exampleDraft("a"), to)).toEqual(first);
      expect(await store.publish(exampleDraft("not deterministic"), to)).toEqual(first);
      expect(await store.versions("digits")).toHaveLength(2);
    });

    it("publishes a job once when many publish it at the same moment", async () => {
      const { driver, again } = await makeDriver();
      const to = { name: "digits", alias: "prod", jobId: "job1", actor: "me" };
      const records = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          new ArtifactStore(index % 2 ? driver : again()).publish(exampleDraft("a"), to),
        ),
      );
      expect(new Set(records.map(({ version }) => version))).toEqual(new Set([1]));
      const store = new ArtifactStore(driver);
      expect(await store.versions("digits")).toHaveLength(1);
      expect(await store.aliasHistory("digits", "prod")).toHaveLength(1);
    });

    it("gives different jobs different numbers when they publish at the same moment, each twice", async () => {
      const { driver, again } = await makeDriver();
      const jobs = [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6];
      const records = await Promise.all(
        jobs.map((job, index) =>
          new ArtifactStore(index % 2 ? driver : again()).publish(exampleDraft(`m${job}`), {
            name: "digits",
            jobId: `job${job}`,
            actor: "me",
          }),
        ),
      );
      expect(records.map(({ version }) => version).toSorted((a, b) => a - b)).toEqual([
        1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6,
      ]);
      records.forEach((record, index) => expect(record.jobId).toBe(`job${jobs[index]}`));
    });

    it("shares content between artifacts and keeps what varies out of the digest", async () => {
      const { driver } = await makeDriver();
      const store = new ArtifactStore(driver);
      const a = await store.publish(exampleDraft("same"), { name: "a", jobId: "1", actor: "me" });
      const b = await store.publish(exampleDraft("same", { measurements: { trainingSeconds: 3 } }), {
        name: "b",
        jobId: "2",
        actor: "me",
      });
      expect(b.digest).toBe(a.digest);
      expect(b.measurements).toEqual({ trainingSeconds: 3 });
      expect(await driver.list("blobs/")).toHaveLength(3);
    });
  });
}

export function draftTests(makeDriver: MakeDriver): void {
  describe("refused publications", () => {
    it.each(["../up", "UPPER", "a/b", "", ".", "a".repeat(129)])("refuses the name %j", async (name) => {
      const store = new ArtifactStore((await makeDriver()).driver);
      await expect(store.publish(exampleDraft("a"), { name, jobId: "1", actor: "me" })).rejects.toMatchObject({
        code: "invalid_request",
      });
    });

    it.each(["../up", "7", "Prod", "a/b"])("refuses the alias %j, and then publishes nothing", async (alias) => {
      const { driver } = await makeDriver();
      const publishing = new ArtifactStore(driver).publish(exampleDraft("a"), {
        name: "m",
        alias,
        jobId: "1",
        actor: "me",
      });
      await expect(publishing).rejects.toMatchObject({ code: "invalid_request", issues: [{ path: "alias" }] });
      expect(await driver.list("")).toEqual([]);
    });

    it("refuses a draft with two files of one path or without files", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      const [file] = exampleDraft("a").files;
      const to = { name: "m", jobId: "1", actor: "me" };
      const files = file ? [file, file] : [];
      await expect(store.publish(exampleDraft("a", { files }), to)).rejects.toThrow("two files named model.json");
      await expect(store.publish(exampleDraft("a", { files: [] }), to)).rejects.toMatchObject({
        code: "invalid_request",
      });
    });
  });
}
