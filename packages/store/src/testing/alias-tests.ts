import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

/** A store whose model `m` has as many versions as asked. */
async function withVersions(makeDriver: MakeDriver, count: number) {
  const { driver, again } = await makeDriver();
  const store = new ArtifactStore(driver);
  for (let n = 1; n <= count; n++)
    await store.publish(exampleDraft(`m${n}`), { name: "m", jobId: `job${n}`, actor: "me" });
  return { store, other: new ArtifactStore(again()) };
}

export function aliasTests(makeDriver: MakeDriver): void {
  describe("aliases", () => {
    it("move, counting generations and remembering who moved them", async () => {
      const { store } = await withVersions(makeDriver, 2);
      expect(await store.setAlias("m", "prod", 1, { actor: "ann" })).toMatchObject({
        version: 1,
        generation: 1,
        actor: "ann",
      });
      expect(await store.setAlias("m", "prod", 2, { actor: "bob" })).toMatchObject({
        version: 2,
        generation: 2,
        actor: "bob",
      });
      expect(await store.resolve("m@prod")).toMatchObject({ version: 2 });
      expect((await store.aliasHistory("m", "prod")).map(({ version }) => version)).toEqual([1, 2]);
    });

    it("stay where they are when they point there already", async () => {
      const { store } = await withVersions(makeDriver, 1);
      const first = await store.setAlias("m", "prod", 1, { actor: "ann" });
      expect(await store.setAlias("m", "prod", 1, { actor: "bob" })).toEqual(first);
    });

    it("refuse a move by a writer that saw another generation", async () => {
      const { store } = await withVersions(makeDriver, 3);
      await store.setAlias("m", "prod", 1, { actor: "ann", generation: 0 });
      await store.setAlias("m", "prod", 2, { actor: "ann", generation: 1 });
      await expect(store.setAlias("m", "prod", 3, { actor: "bob", generation: 1 })).rejects.toMatchObject({
        code: "conflict",
      });
      expect(await store.resolve("m@prod")).toMatchObject({ version: 2 });
    });

    it("let exactly one of many writers win that saw the same generation", async () => {
      const { store, other } = await withVersions(makeDriver, 8);
      const moves = await Promise.allSettled(
        [1, 2, 3, 4, 5, 6, 7, 8].map((version) =>
          (version % 2 ? store : other).setAlias("m", "prod", version, { actor: "me", generation: 0 }),
        ),
      );
      const won = moves.filter((move) => move.status === "fulfilled");
      expect(won).toHaveLength(1);
      expect(await store.aliasHistory("m", "prod")).toEqual([won[0]?.value]);
    });

    it("lose no move when many writers don't care what was there", async () => {
      const { store, other } = await withVersions(makeDriver, 6);
      await Promise.all(
        [1, 2, 3, 4, 5, 6].map((version) =>
          (version % 2 ? store : other).setAlias("m", "prod", version, { actor: "me" }),
        ),
      );
      const history = await store.aliasHistory("m", "prod");
      expect(history.map(({ version }) => version).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(history.map(({ generation }) => generation)).toEqual([1, 2, 3, 4, 5, 6]);
    });

    it("refuse unknown models, unknown versions and bad names", async () => {
      const { store } = await withVersions(makeDriver, 1);
      await expect(store.setAlias("n", "prod", 1, { actor: "me" })).rejects.toMatchObject({ code: "not_found" });
      await expect(store.setAlias("m", "prod", 2, { actor: "me" })).rejects.toThrow("m has no version 2; it has 1");
      await expect(store.setAlias("m", "../prod", 1, { actor: "me" })).rejects.toMatchObject({
        code: "invalid_request",
      });
      await expect(store.setAlias("../m", "prod", 1, { actor: "me" })).rejects.toMatchObject({
        code: "invalid_request",
      });
    });
  });
}

export function publicationAliasTests(makeDriver: MakeDriver): void {
  describe("aliases moved by publications", () => {
    it("are not moved back by a publication that is repeated after somebody rolled back", async () => {
      const { store } = await withVersions(makeDriver, 1);
      const to = { name: "m", alias: "prod", jobId: "job2", actor: "me" };
      await store.setAlias("m", "prod", 1, { actor: "ann" });
      await store.publish(exampleDraft("m2"), to);
      await store.setAlias("m", "prod", 1, { actor: "ann" });
      await store.publish(exampleDraft("m2"), to);
      expect(await store.resolve("m@prod")).toMatchObject({ version: 1 });
    });

    it("are not moved back by an older publication that finishes late", async () => {
      const { store } = await withVersions(makeDriver, 1);
      await store.publish(exampleDraft("m2"), { name: "m", alias: "prod", jobId: "job2", actor: "me" });
      await store.publish(exampleDraft("m1"), { name: "m", alias: "prod", jobId: "job1", actor: "me" });
      expect(await store.resolve("m@prod")).toMatchObject({ version: 2 });
    });
  });
}
