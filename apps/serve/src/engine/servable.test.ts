import type { ArtifactDraft } from "@whittle/contracts";
import { afterAll, describe, expect, it } from "vitest";
import { dynamicModel, wideModel } from "../testing/models.ts";
import type { Tensors } from "./messages.ts";
import { Pool } from "./pool.ts";
import { Servable } from "./servable.ts";
import { spawnThread } from "./spawn-thread.ts";

const COLUMNS = 16;
const pool = new Pool({ threads: 1, spawn: () => spawnThread(1), onProblem: () => {} });
afterAll(() => pool.close());

/** Loads a draft as if it came from the store, and says how many samples each call of it had. */
async function load({ files, ...manifest }: ArtifactDraft) {
  const [file] = files;
  if (!file) throw new Error("the draft has no file");
  const source = {
    name: "m",
    version: 1,
    digest: "sha256:0",
    manifest: { schemaVersion: 1 as const, ...manifest, files: [] },
    read: async () => file.bytes,
  };
  const calls: number[] = [];
  const limits = { maxRows: 32, maxDelayMs: 0, maxQueue: 10 };
  const servable = await Servable.load(pool, source, limits, (rows) => calls.push(rows));
  return { servable, calls };
}

/** Values between 0 and `largest`. */
const request = (largest: number): Tensors => ({
  x: {
    datatype: "FP32",
    shape: [1, COLUMNS],
    data: Float32Array.from({ length: COLUMNS }, (_, at) => (largest * (1 + ((at * 7) % COLUMNS))) / COLUMNS),
  },
});

describe("requests that come together", () => {
  it("run as one", async () => {
    const { servable, calls } = await load(wideModel(COLUMNS));
    await Promise.all([1, 1, 1].map((largest) => servable.infer(request(largest))));
    expect(calls).toEqual([3]);
  });

  it("run apart where the model would mix them: nobody's answer depends on what others ask", async () => {
    const { servable, calls } = await load(await dynamicModel(COLUMNS));
    const alone = await servable.infer(request(1));
    const [beside] = await Promise.all([servable.infer(request(1)), servable.infer(request(1000))]);
    expect(beside).toEqual(alone);
    expect(calls).toEqual([1, 1, 1]);
  });
});
