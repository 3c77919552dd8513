/** `npm run new job|model|dataset NAME`: makes the folder of a new one, ready to be filled in. */
import { fileURLToPath } from "node:url";
import { isThing, scaffold } from "./lib/scaffold.ts";
import { writeIndexes } from "./lib/write-indexes.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const [thing, name] = process.argv.slice(2);

if (!isThing(thing) || name === undefined) {
  console.error("usage: npm run new job|model|dataset NAME");
  process.exit(2);
}
try {
  for (const file of [...(await scaffold(root, thing, name)), ...(await writeIndexes(root))])
    console.log(`wrote ${file}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
