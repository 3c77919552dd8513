import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

export function identityTests(makeDriver: MakeDriver): void {
  describe("the identity", () => {
    it("is one for all who open the place, also when they ask first at the same time, and another elsewhere", async () => {
      const { again } = await makeDriver();
      const asked = await Promise.all(Array.from({ length: 8 }, () => new ArtifactStore(again()).identity()));
      expect(asked[0]).toMatch(/^[\da-f]{8}-[\da-f-]{27}$/);
      expect(new Set(asked).size).toBe(1);
      expect(await new ArtifactStore(again()).identity()).toBe(asked[0]);
      expect(await new ArtifactStore((await makeDriver()).driver).identity()).not.toBe(asked[0]);
    });

    it("is nothing that a collection removes, an audit complains of or is counted", async () => {
      const { driver } = await makeDriver();
      const store = new ArtifactStore(driver);
      await store.publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
      const [audit, usage] = [await store.audit(), await store.usage()];
      const identity = await store.identity();
      expect(await store.audit()).toEqual(audit);
      expect(await store.usage()).toEqual(usage);
      const { blobs, steps, scratch, leftovers } = await store.collect({ delete: true, graceMs: 0, scratchMs: 0 });
      expect([blobs, steps, scratch, leftovers].map(({ count }) => count)).toEqual([0, 0, 0, 0]);
      expect(await driver.list("")).toContain("identity.json");
      expect(await store.identity()).toBe(identity);
    });

    it("is refused when it is damaged, and an audit names it", async () => {
      const { driver } = await makeDriver();
      const store = new ArtifactStore(driver);
      await driver.create("identity.json", new TextEncoder().encode('{"id":"a1b2'));
      await expect(store.identity()).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringContaining(`identity.json of the store at ${driver.location} is damaged: remove it`),
      });
      expect((await store.audit()).issues).toMatchObject([{ path: "identity.json" }]);
    });
  });
}
