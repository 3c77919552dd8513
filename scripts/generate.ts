/** Writes the indexes of the extension points; with `--check` only says whether they are up to date. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generatedFiles } from "./lib/indexes.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");

for (const { path, text } of await generatedFiles(root)) {
  const target = join(root, path);
  if ((await readFile(target, "utf8").catch(() => "")) === text) continue;
  if (check) {
    console.error(`${path} is out of date: run npm run generate`);
    process.exitCode = 1;
    continue;
  }
  await mkdir(dirname(target), { recursive: true });
  await writeFile(`${target}.${process.pid}.tmp`, text);
  await rename(`${target}.${process.pid}.tmp`, target);
  console.log(`wrote ${path}`);
}
