import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { forbiddenImports } from "./imports.ts";
import { scaffold } from "./scaffold.ts";
import { writeIndexes } from "./write-indexes.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const timeout = 240_000; // The compiler runs three times.
let copy: string;

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "whittle-scaffold-"));
  for (const file of ["tsconfig.json", ".oxfmtrc.json"]) await cp(join(root, file), join(copy, file));
  for (const folder of ["packages/jobs", "packages/zoo"]) {
    await mkdir(join(copy, folder), { recursive: true });
    for (const part of ["src", "package.json", "tsconfig.json"])
      await cp(join(root, folder, part), join(copy, folder, part), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
});

afterAll(async () => {
  await rm(copy, { recursive: true });
});

it(
  "makes a job kind, a model family and a data set that type-check, are formatted and indexed, and keep the import rules",
  { timeout },
  async () => {
    await scaffold(copy, "job", "round-off");
    await scaffold(copy, "model", "two-towers");
    await scaffold(copy, "dataset", "street-signs");
    expect(await writeIndexes(copy)).toEqual([
      "packages/jobs/src/generated/catalog.ts",
      "packages/jobs/src/generated/runners.ts",
      "packages/zoo/src/generated/catalog.ts",
      "packages/zoo/src/generated/implementations.ts",
    ]);
    expect(await writeIndexes(copy, { check: true })).toEqual([]);
    const catalog = await readFile(join(copy, "packages/jobs/src/generated/catalog.ts"), "utf8");
    expect(catalog).toContain('"round-off": roundOffDefinition');
    expect(await forbiddenImports(copy)).toEqual([]);
    for (const folder of ["packages/jobs", "packages/zoo"]) expect(await errorsIn(folder)).toBe("");
    await run(join(root, "node_modules/.bin/oxfmt"), ["--check", "packages"], { cwd: copy });
  },
);

it("type-checks what it makes: a mistake in it is found", { timeout }, async () => {
  await scaffold(copy, "model", "broken");
  await rm(join(copy, "packages/zoo/src/models/broken/contract.ts"));
  expect(await errorsIn("packages/zoo")).toContain("models/broken/build.ts");
});

it.each([["Upper"], ["../outside"], ["a--b"], ["1st"], [""]])("refuses the name %j", async (name) => {
  await expect(scaffold(copy, "job", name)).rejects.toThrow(/lower case words/);
});

it("leaves what is there alone", async () => {
  await expect(scaffold(copy, "job", "train")).rejects.toThrow("packages/jobs/src/train is there already");
});

async function errorsIn(folder: string): Promise<string> {
  return run(join(root, "node_modules/.bin/tsc"), ["-p", join(copy, folder)]).then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  );
}
