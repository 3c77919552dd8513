import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const abandonedAfterMs = 3_600_000;

/**
 * Makes `target` in one move: `fill` works in a temporary folder beside it, which is renamed when it is done and removed when it
 * fails. Where another process made `target` in the meantime, that one stays.
 */
export async function makeFolder(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const temporary = `${target}.${randomBytes(4).toString("hex")}.tmp`;
  await removeAbandoned(target);
  await mkdir(temporary, { recursive: true });
  const removeNow = onSignals(() => rm(temporary, { recursive: true, force: true }));
  try {
    await fill(temporary);
    await rename(temporary, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    removeNow();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Removes what a killed set-up has left of `target`. */
async function removeAbandoned(target: string): Promise<void> {
  const parent = dirname(target);
  const names = await readdir(parent).catch(() => []);
  for (const name of names.filter((other) => other.startsWith(`${basename(target)}.`) && other.endsWith(".tmp"))) {
    const path = join(parent, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}

/** Makes `link` point to `target`, in one move. */
export async function replaceLink(link: string, target: string): Promise<void> {
  await mkdir(dirname(link), { recursive: true });
  const temporary = `${link}.${randomBytes(4).toString("hex")}.tmp`;
  await symlink(target, temporary);
  await rename(temporary, link);
}

function onSignals(cleanUp: () => Promise<void>): () => void {
  const stop = (signal: NodeJS.Signals): void => {
    void cleanUp().finally(() => process.kill(process.pid, signal));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, stop);
  return () => {
    for (const signal of signals) process.off(signal, stop);
  };
}
