import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { generatedFiles } from "./indexes.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-indexes-"));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

it("lists the folders that have a contract, sorted", async () => {
  await contracts("jobs/src/train", "jobs/src/distill", "zoo/src/models/mlp", "zoo/src/datasets/fashion-mnist");
  await mkdir(join(root, "packages/jobs/src/testing"));
  const files = await generatedFiles(root);
  expect(Object.fromEntries(files.map(({ path, text }) => [path, text.split("\n").slice(2)]))).toEqual({
    "packages/jobs/src/generated/catalog.ts": [
      'import { definition as distillDefinition } from "../distill/contract.ts";',
      'import { definition as trainDefinition } from "../train/contract.ts";',
      "",
      "export const catalog = {",
      "  distill: distillDefinition,",
      "  train: trainDefinition,",
      "};",
      "",
    ],
    "packages/jobs/src/generated/runners.ts": [
      "export const runners = {",
      '  distill: () => import("../distill/run.ts"),',
      '  train: () => import("../train/run.ts"),',
      "};",
      "",
    ],
    "packages/zoo/src/generated/catalog.ts": [
      'import { family as mlpFamily } from "../models/mlp/contract.ts";',
      'import { dataset as fashionMnistDataset } from "../datasets/fashion-mnist/contract.ts";',
      "",
      "export const families = {",
      "  mlp: mlpFamily,",
      "};",
      "",
      "export const datasets = {",
      '  "fashion-mnist": fashionMnistDataset,',
      "};",
      "",
    ],
    "packages/zoo/src/generated/implementations.ts": [
      'import { build as mlpBuild } from "../models/mlp/build.ts";',
      'import { load as fashionMnistLoad } from "../datasets/fashion-mnist/load.ts";',
      "",
      "export const builders = {",
      "  mlp: mlpBuild,",
      "};",
      "",
      "export const loaders = {",
      '  "fashion-mnist": fashionMnistLoad,',
      "};",
      "",
    ],
  });
});

it("writes empty records where there is nothing yet", async () => {
  const [catalog] = await generatedFiles(root);
  expect(catalog?.text).toContain("export const catalog = {};\n");
});

async function contracts(...folders: string[]): Promise<void> {
  for (const folder of folders) {
    const path = join(root, "packages", folder, "contract.ts");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
  }
}
