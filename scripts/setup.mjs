/**
 * `npm run setup`: makes everything ready that Whittle needs, and does nothing where it is ready already. This file and its modules
 * run before there are any dependencies, so they are plain JavaScript; what follows them is apps/cli/src/setup.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installDependencies } from "./setup/dependencies.mjs";
import { withLock } from "./setup/lock.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const oldest = [20, 19];

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
  console.error(
    `MISS Node           ${process.versions.node} is too old: install ${oldest.join(".")} or newer (https://nodejs.org)`,
  );
  process.exit(1);
}
console.log(`ok   Node           ${process.versions.node}`);

process.exitCode = await withLock(root, () => {
  if (!installDependencies(root)) return 1;
  const args = ["--import", "tsx", "apps/cli/src/setup/main.ts", ...process.argv.slice(2)];
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
});
