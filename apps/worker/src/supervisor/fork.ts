import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Entry } from "../entries.ts";

/**
 * Starts a program in a process group of its own, so that all it starts can be killed with it. Where `setpriv` exists, the kernel kills
 * the child when the worker dies, even while it is busy in native code and doesn't see that its channel closed.
 */
export function forkGroup(entry: Entry, env: Record<string, string | undefined>, args: string[] = []): ChildProcess {
  const setpriv = findSetpriv(env["PATH"] ?? "");
  return fork(entry.path, args, {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    ...(setpriv
      ? { execPath: setpriv, execArgv: ["--pdeathsig", "KILL", process.execPath, ...entry.execArgv] }
      : { execArgv: entry.execArgv }),
  });
}

/** Kills the child, if it still runs, and all that it started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The whole group is gone.
  }
}

function findSetpriv(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  return path
    .split(delimiter)
    .map((folder) => join(folder, "setpriv"))
    .find((file) => existsSync(file));
}
