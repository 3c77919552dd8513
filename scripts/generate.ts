/** Writes the indexes of the extension points; with `--check` only says whether they are up to date. */
import { fileURLToPath } from "node:url";
import { writeIndexes } from "./lib/write-indexes.ts";

const check = process.argv.includes("--check");
const stale = await writeIndexes(fileURLToPath(new URL("..", import.meta.url)), { check });
for (const path of stale) console.log(check ? `${path} is out of date: run npm run generate` : `wrote ${path}`);
if (check && stale.length > 0) process.exitCode = 1;
