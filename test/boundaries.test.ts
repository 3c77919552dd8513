import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { forbiddenImports, importedModules } from "../scripts/lib/imports.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string): string => join(root, "node_modules/.bin", name);

let copy: string;

beforeEach(async () => {
  copy = await mkdtemp(join(tmpdir(), "whittle-boundaries-"));
});

afterEach(async () => {
  await rm(copy, { recursive: true });
});

describe("turbo boundaries", () => {
  it("refuses an import that a package's tag does not allow", async () => {
    await skeleton();
    await expect(boundaries()).resolves.toMatchObject({ code: 0 });
    await addDependency("packages/contracts", "@whittle/queue");
    const { code, output } = await boundaries();
    expect(code).not.toBe(0);
    expect(output).toContain("@whittle/queue");
  });

  it("refuses an import of another package's files", async () => {
    await skeleton();
    await source("apps/serve/src/sneak.ts", 'import "../../../packages/queue/src/index.ts";\n');
    const { code, output } = await boundaries();
    expect(code).not.toBe(0);
    expect(output).toContain("packages/queue/src/index.ts");
  });
});

describe("the import rules", () => {
  it("hold in this repository", async () => {
    expect(await forbiddenImports(root)).toEqual([]);
  });

  it.each([
    ["apps/serve/src/a.ts", 'import { createQueue } from "@whittle/queue";'],
    ["apps/api/src/a.ts", 'import { tf } from "@whittle/engine";'],
    ["apps/api/src/a.ts", 'const { runJob } = await import("@whittle/jobs/runners");'],
    ["apps/api/src/a.ts", 'import { loadDataset } from "@whittle/zoo";'],
    ["apps/worker/src/supervisor/a.ts", 'import { runJob } from "@whittle/jobs/runners";'],
    ["apps/api/src/a.ts", 'import { Queue } from "bullmq";'],
    ["packages/jobs/src/prune/a.ts", 'import * as tf from "@tensorflow/tfjs";'],
    ["packages/jobs/src/prune/a.ts", 'import { loss } from "../distill/loss.ts";'],
    ["packages/jobs/src/prune/maths/a.ts", 'import { loss } from "../../distill/loss.ts";'],
    ["packages/jobs/src/prune/contract.ts", 'import { tf } from "@whittle/engine";'],
    ["packages/sdk/src/a.ts", 'import type { JobQueue } from "@whittle/queue";'],
  ])("refuse in %s: %s", async (path, text) => {
    await source(path, `${text}\n`);
    expect(await forbiddenImports(copy)).toEqual([expect.stringContaining(path)]);
  });

  it.each([
    ["packages/queue/src/a.ts", 'import { Queue } from "bullmq";'],
    ["packages/jobs/src/prune/a.ts", 'import { tf } from "@whittle/engine";'],
    ["packages/jobs/src/prune/a.ts", 'import { fineTune } from "../shared/training.ts";'],
    ["packages/jobs/src/prune/maths/a.ts", 'import { mask } from "../magnitude-mask.ts";'],
    ["packages/jobs/src/prune/contract.ts", 'import { datasetName } from "@whittle/zoo/catalog";'],
    ["apps/worker/src/child.ts", 'import { runJob } from "@whittle/jobs/runners";'],
  ])("allow in %s: %s", async (path, text) => {
    await source(path, `${text}\n`);
    expect(await forbiddenImports(copy)).toEqual([]);
  });

  it("take the word import in a text for none", () => {
    expect(importedModules('job({ kind: "import", title: "Import" });\n')).toEqual([]);
  });

  it("see every form of import", () => {
    const text =
      'import "a";\nimport b from "b";\nexport * from "c";\nconst d = await import("d"), e = require("e");\n';
    expect(importedModules(`${text}import {\n  f,\n} from "f";\n`)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });
});

describe("loading TensorFlow", () => {
  it.each(["api", "serve"])("is not done by the %s app", async (app) => {
    const loaded = await loadedModules(`apps/${app}/src/app.ts`);
    expect(loaded).toContain(`apps/${app}/src/app.ts`);
    expect(loaded).toContain("node_modules/express/");
    expect(loaded).not.toContain("@tensorflow");
  });

  it("would be seen", async () => {
    expect(await loadedModules("packages/engine/src/index.ts")).toContain("@tensorflow");
  });
});

/** Everything that a process has loaded once it has imported a file. */
async function loadedModules(file: string): Promise<string> {
  const hook = join(root, "test/fixtures/print-loaded-modules.mjs");
  const args = ["--import", "tsx", "--import", hook, join(root, file)];
  return (await run(process.execPath, args, { cwd: root, maxBuffer: 2 ** 26 })).stdout;
}

/** The repository's packages without their sources. */
async function skeleton(): Promise<void> {
  const { stdout } = await run("git", ["ls-files", "*package.json", "*turbo.json", "package-lock.json"], { cwd: root });
  for (const path of stdout.trim().split("\n")) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await cp(join(root, path), join(copy, path));
  }
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  await run("git", ["init", "-q", copy]);
}

async function source(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(copy, path)), { recursive: true });
  await writeFile(join(copy, path), text);
}

async function addDependency(folder: string, name: string): Promise<void> {
  const file = join(copy, folder, "package.json");
  const manifest: { dependencies: Record<string, string> } = JSON.parse(await readFile(file, "utf8"));
  manifest.dependencies[name] = "*";
  await writeFile(file, JSON.stringify(manifest));
  await source(`${folder}/src/sneak.ts`, `import "${name}";\n`);
}

async function boundaries(): Promise<{ code: number; output: string }> {
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
  return run(bin("turbo"), ["boundaries"], { cwd: copy, env }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  );
}
