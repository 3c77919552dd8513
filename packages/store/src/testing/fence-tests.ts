import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

const to = { name: "digits", alias: "prod", jobId: "job1", actor: "me" };

async function refuse(): Promise<void> {
  throw new AppError("conflict", "epoch 2 has begun");
}

export function fenceTests(makeDriver: MakeDriver): void {
  describe("the fence of a publication", () => {
    it("keeps the epoch in the version record", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      await store.publish(exampleDraft("a"), { ...to, epoch: 3 });
      expect(await store.version("digits", 1)).toMatchObject({ epoch: 3 });
    });

    it("is asked when everything but the version record is written, and lets nothing be seen when it refuses", async () => {
      const { driver } = await makeDriver();
      const store = new ArtifactStore(driver);
      let blobs: string[] = [];
      const guard = async () => {
        blobs = await driver.list("blobs/");
        await refuse();
      };
      const publishing = store.publish(exampleDraft("a"), { ...to, epoch: 1, guard });
      await expect(publishing).rejects.toMatchObject({ code: "conflict", message: "epoch 2 has begun" });
      expect(blobs).toHaveLength(3);
      expect(await driver.list("models/")).toEqual([]);
    });

    it("is asked again when another job takes the number first", async () => {
      const { driver, again } = await makeDriver();
      const rival = new ArtifactStore(again());
      const asked: number[] = [];
      const guard = async () => {
        const n = asked.push(asked.length + 1);
        if (n === 1) await rival.publish(exampleDraft("b"), { ...to, jobId: "job2" });
        else await refuse();
      };
      await expect(new ArtifactStore(driver).publish(exampleDraft("a"), { ...to, guard })).rejects.toThrow("epoch 2");
      expect(asked).toEqual([1, 2]);
      expect((await rival.versions("digits")).map(({ jobId }) => jobId)).toEqual(["job2"]);
    });

    it("gives a late attempt the version of the one that overtook it, also when it has passed its guard", async () => {
      const { driver, again } = await makeDriver();
      const store = new ArtifactStore(driver);
      const overtake = async () => {
        await new ArtifactStore(again()).publish(exampleDraft("later"), { ...to, epoch: 2 });
      };
      const record = await store.publish(exampleDraft("earlier"), { ...to, epoch: 1, guard: overtake });
      expect(record).toMatchObject({ version: 1, epoch: 2 });
      expect(await store.versions("digits")).toEqual([record]);
      expect(await store.publish(exampleDraft("earlier"), { ...to, epoch: 1, guard: refuse })).toEqual(record);
    });
  });
}
