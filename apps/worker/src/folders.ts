import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** A worker's id says where it runs: `<host>-<pid>-<start>`. */
export function workerId(host: string, pid: number, startedAt: number): string {
  return `${host}-${pid}-${startedAt.toString(36)}`;
}

/** Makes a worker's own folder, and removes those of workers of this host that have gone without removing theirs. */
export async function openFolder(root: string, host: string, id: string): Promise<string> {
  await mkdir(root, { recursive: true });
  for (const name of await readdir(root)) {
    const pid = name.startsWith(`${host}-`) ? /^(\d+)-[0-9a-z]+$/.exec(name.slice(host.length + 1))?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(root, name), { recursive: true, force: true });
  }
  const folder = join(root, id);
  await mkdir(folder, { recursive: true });
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
