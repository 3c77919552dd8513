import { describe, expect, it } from "vitest";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

export function lineageTests(makeDriver: MakeDriver): void {
  describe("lineage", () => {
    it("leads from an artifact to all that it was made from, with every name", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      const teacher = await store.publish(exampleDraft("teacher"), { name: "teacher", jobId: "1", actor: "me" });
      await store.publish(exampleDraft("teacher"), { name: "best", jobId: "2", actor: "me" });
      const student = await store.publish(
        exampleDraft("student", { parents: [{ role: "teacher", digest: teacher.digest }] }),
        { name: "student", jobId: "3", actor: "me" },
      );
      const pruned = await store.publish(
        exampleDraft("pruned", { parents: [{ role: "base", digest: student.digest }] }),
        {
          name: "pruned",
          jobId: "4",
          actor: "me",
        },
      );
      expect(await store.lineage(pruned.digest)).toEqual({
        digest: pruned.digest,
        names: ["pruned@1"],
        parents: [
          {
            digest: student.digest,
            names: ["student@1"],
            role: "base",
            parents: [{ digest: teacher.digest, names: ["best@1", "teacher@1"], role: "teacher", parents: [] }],
          },
        ],
      });
    });

    it("ends where the store no longer has a parent", async () => {
      const store = new ArtifactStore((await makeDriver()).driver);
      const gone = `sha256:${"a".repeat(64)}`;
      const { digest } = await store.publish(exampleDraft("m", { parents: [{ role: "base", digest: gone }] }), {
        name: "m",
        jobId: "1",
        actor: "me",
      });
      expect((await store.lineage(digest)).parents).toEqual([{ digest: gone, names: [], role: "base", parents: [] }]);
      await expect(store.lineage(gone)).rejects.toMatchObject({ code: "not_found" });
    });
  });
}
