import { loadDataset } from "@whittle/zoo";
import { afterAll, beforeAll, expect, it } from "vitest";
import { catalog } from "./catalog.ts";
import type { JobContext } from "./shared/context.ts";
import { stepKey } from "./step-key.ts";
import { openBench, type JobBench } from "./testing.ts";

let bench: JobBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** What a job is given on a machine where the data set has this content. */
function contextWith(digest: string): JobContext {
  return {
    store: bench.store,
    signal: new AbortController().signal,
    workDir: bench.folder,
    keep: async () => {},
    dataset: async (name) => ({ ...(await loadDataset(name)), digest }),
    progress: () => {},
    log: () => {},
    metrics: () => {},
  };
}

const key = (kind: string, params: Record<string, unknown>, digest = "sha256:a") =>
  stepKey(catalog[kind]!, params, contextWith(digest));

it("is of the data set's content, named by the parameters or by the first model", async () => {
  const { digest: model } = await bench.store.resolve("tiny-base");
  const keys = await Promise.all([
    key("train", { dataset: "tiny" }),
    key("train", { dataset: "tiny" }, "sha256:b"),
    key("prune", { model }),
    key("prune", { model }, "sha256:b"),
    key("quantize", { model }),
    key("distill", { teachers: [{ model }] }),
    key("distill", { teachers: [{ model }] }, "sha256:b"),
  ]);
  expect(keys).toEqual(keys.map(() => expect.stringMatching(/^[0-9a-f]{64}$/)));
  expect(new Set(keys).size).toBe(keys.length);
  expect(await key("train", { dataset: "tiny" })).toBe(keys[0]);
});

it("does not depend on the order of parameters, but on each", async () => {
  const params = { dataset: "tiny", seed: 1 };
  expect(await key("train", { seed: 1, dataset: "tiny" })).toBe(await key("train", params));
  expect(await key("train", { ...params, seed: 2 })).not.toBe(await key("train", params));
});

it("is none where no parameter and no model names a data set", async () => {
  expect(await key("train", {})).toBeUndefined();
});
