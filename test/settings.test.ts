import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const name = /\bWHITTLE_[A-Z]+(?:_[A-Z]+)*\b/g;

it("every environment variable that the code knows is in docs/settings.md, and no other", async () => {
  const known = new Set<string>();
  for (const file of [...(await sources("apps")), ...(await sources("packages")), "docker-compose.yml"])
    for (const [found] of (await readFile(join(root, file), "utf8")).matchAll(name)) known.add(found);
  const documented = (await readFile(join(root, "docs/settings.md"), "utf8")).matchAll(name);
  expect([...new Set([...documented].map(([found]) => found))].toSorted()).toEqual([...known].toSorted());
});

async function sources(folder: string): Promise<string[]> {
  const files = await readdir(join(root, folder), { recursive: true });
  return files.filter((file) => /^[^/]+\/src\/.*\.ts$/.test(file)).map((file) => join(folder, file));
}
