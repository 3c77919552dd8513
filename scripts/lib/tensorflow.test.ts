import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeSkipped, hasTensorFlow } from "./tensorflow.ts";

it("finds native TensorFlow where it is", { tags: ["tensorflow"] }, () => {
  expect(hasTensorFlow({})).toBe(true);
});

it("finds none where it is switched off, isn't there or doesn't load", async () => {
  const folder = await mkdtemp(join(tmpdir(), "whittle-binding-"));
  const damaged = join(folder, "damaged.node");
  await writeFile(damaged, "no library");
  expect(hasTensorFlow({ WHITTLE_BACKEND: "wasm" })).toBe(false);
  expect(hasTensorFlow({}, join(folder, "missing.node"))).toBe(false);
  expect(hasTensorFlow({}, damaged)).toBe(false);
  await rm(folder, { recursive: true });
});

it("says in one line how many tests were skipped, and what to do", () => {
  expect(describeSkipped(12)).toMatch(/^MISS TensorFlow +12 TESTS WERE SKIPPED.*`npm run setup`.*what to do$/);
});
