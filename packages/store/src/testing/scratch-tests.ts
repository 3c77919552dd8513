import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import type { MakeDriver } from "./test-store.ts";

const encode = (text: string) => new TextEncoder().encode(text);

export function scratchTests(makeDriver: MakeDriver): void {
  describe("scratch", () => {
    it("is found by another host, and by no other job", async () => {
      const { driver, again } = await makeDriver();
      const weights = new Uint8Array(new Float32Array([1, 2, 3]).buffer);
      await new ArtifactStore(driver).scratch("job1").write("000001.bin", weights);
      const other = new ArtifactStore(again()).scratch("job1");
      expect(await other.list()).toEqual(["000001.bin"]);
      expect(await other.read("000001.bin")).toEqual(weights);
      expect(await other.read("000002.bin")).toBeUndefined();
      expect(await new ArtifactStore(driver).scratch("job10").list()).toEqual([]);
    });

    it("may write the same again, and never another content under a name", async () => {
      const scratch = new ArtifactStore((await makeDriver()).driver).scratch("job1");
      await scratch.write("a", encode("first"));
      await scratch.write("a", encode("first"));
      await expect(scratch.write("a", encode("second"))).rejects.toMatchObject({ code: "conflict" });
      expect(await scratch.read("a")).toEqual(encode("first"));
    });

    it("removes one name, or all", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      const scratch = store.scratch("job1");
      for (const name of ["b", "a", "c"]) await scratch.write(name, encode(name));
      await store.scratch("job2").write("a", encode("kept"));
      await scratch.remove("a");
      await scratch.remove("none");
      expect(await scratch.list()).toEqual(["b", "c"]);
      await scratch.clear();
      expect(await scratch.list()).toEqual([]);
      expect(await store.scratch("job2").list()).toEqual(["a"]);
    });

    it.each([
      ["cut short", (bytes: Uint8Array) => bytes.slice(0, -1)],
      ["cut to almost nothing", (bytes: Uint8Array) => bytes.slice(0, 5)],
      ["changed in one bit", (bytes: Uint8Array) => bytes.with(40, (bytes[40] ?? 0) ^ 1)],
    ])("reports content that was %s as corrupt", async (_, damage) => {
      const { driver } = await makeDriver();
      const scratch = new ArtifactStore(driver).scratch("job1");
      await scratch.write("a", encode("a checkpoint"));
      const bytes = (await driver.read("scratch/job1/a")) ?? new Uint8Array();
      await driver.remove("scratch/job1/a");
      await driver.create("scratch/job1/a", damage(bytes));
      await expect(scratch.read("a")).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringContaining("scratch/job1/a"),
      });
    });

    it.each([
      ["../job", "a"],
      ["job1", "../a"],
      ["", "a"],
    ])("refuses the job %j with the name %j", async (jobId, name) => {
      const scratch = new ArtifactStore((await makeDriver()).driver).scratch(jobId);
      await expect(scratch.write(name, encode("x"))).rejects.toMatchObject({ code: "invalid_request" });
    });
  });
}
