import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Runs `action` while no other set-up works on this checkout: two `npm ci` at once would spoil node_modules. */
export async function withLock(root, action) {
  const file = join(root, ".whittle/setup.lock");
  mkdirSync(join(root, ".whittle"), { recursive: true });
  let told = false;
  while (!take(file)) {
    const owner = ownerOf(file);
    if (owner !== undefined && !isAlive(owner)) discard(file, owner);
    else if (!told)
      console.log(`...  another set-up (process ${owner}) is at work; waiting (if it is not, delete ${file})`);
    told = true;
    await sleep(250);
  }
  const release = () => rmSync(file, { force: true });
  process.once("exit", release);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  try {
    return await action();
  } finally {
    release();
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function ownerOf(file) {
  try {
    return Number(readFileSync(file, "utf8")) || undefined;
  } catch {
    return undefined;
  }
}

/** Removes the lock of a process that is gone, but not one that another process has taken in the meantime. */
function discard(file, owner) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (ownerOf(aside) === owner) rmSync(aside);
    else renameSync(aside, file);
  } catch {
    // Another process was faster.
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}
