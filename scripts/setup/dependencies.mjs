import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Installs what package-lock.json says, unless it is installed. Returns whether it is there in the end. */
export function installDependencies(root) {
  const start = Date.now();
  const reason = whyInstall(root);
  if (reason === undefined) {
    console.log("ok   dependencies   as package-lock.json says");
    return true;
  }
  console.log(`...  dependencies: npm ci, because ${reason}`);
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { status, error } = spawnSync(npm, ["ci", "--loglevel=error"], { cwd: root, stdio: "inherit" });
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  if (status !== 0)
    console.error(`MISS dependencies   npm ci failed${error ? `: ${error.message}` : ""} (${seconds} s)`);
  else console.log(`ok   dependencies   installed (${seconds} s)`);
  return status === 0;
}

/** @public Compares package-lock.json with the lock file that npm keeps in node_modules of what it has installed there. */
export function whyInstall(root) {
  const hidden = join(root, "node_modules/.package-lock.json");
  if (!existsSync(hidden)) return "there are none yet";
  const installed = packagesOf(hidden);
  for (const [path, wanted] of Object.entries(packagesOf(join(root, "package-lock.json")))) {
    if (!path.includes("node_modules/")) continue;
    const found = installed[path];
    // npm leaves out builds of a package for other systems.
    if (found ? found.version === wanted.version : wanted.optional || wanted.devOptional) continue;
    return `${path} is ${found?.version ?? "missing"} and should be ${wanted.version ?? "there"}`;
  }
  return undefined;
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}
