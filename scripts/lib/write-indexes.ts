import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generatedFiles } from "./indexes.ts";

/** Brings the generated indexes up to date. @returns the files that were not; with `check` they are left as they are. */
export async function writeIndexes(root: string, { check = false } = {}): Promise<string[]> {
  const stale: string[] = [];
  for (const { path, text } of await generatedFiles(root)) {
    const target = join(root, path);
    if ((await readFile(target, "utf8").catch(() => "")) === text) continue;
    stale.push(path);
    if (!check) await replace(target, text);
  }
  return stale;
}

async function replace(target: string, text: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await writeFile(`${target}.${process.pid}.tmp`, text);
  await rename(`${target}.${process.pid}.tmp`, target);
}
