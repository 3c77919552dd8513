import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobEnvelope } from "@whittle/contracts";
import { openStore, type ArtifactStore } from "@whittle/store";
import { exampleDraft } from "@whittle/store/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findPublished } from "./published.ts";

let root: string;
let store: ArtifactStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-published-"));
  store = await openStore(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const job = (id: string): JobEnvelope => ({
  id,
  kind: "train",
  params: {},
  output: { name: "digits", alias: "prod" },
  timeoutSeconds: 60,
  submittedBy: "key-1",
  createdAt: "2026-01-01T00:00:00.000Z",
});

it("finds nothing of a job that has published nothing, also under a name that others use", async () => {
  expect(await findPublished(store, job("a"))).toBeUndefined();
  await store.publish(exampleDraft("b"), { name: "digits", jobId: "b", actor: "key-1" });
  expect(await findPublished(store, job("a"))).toBeUndefined();
});

it("finds what a job has published, with its metrics, and moves the alias that its run did not come to", async () => {
  const draft = exampleDraft("a", { metrics: { parameters: 8 }, measurements: { trainingSeconds: 3 } });
  const { digest } = await store.publish(draft, { name: "digits", jobId: "a", actor: "key-1" });
  const found = await findPublished(store, job("a"));
  expect(found).toEqual({
    artifact: { name: "digits", version: 1, digest },
    metrics: { parameters: 8, trainingSeconds: 3 },
  });
  expect(await store.aliasHistory("digits", "prod")).toMatchObject([{ version: 1, digest }]);
  expect(await store.versions("digits")).toHaveLength(1);
});
