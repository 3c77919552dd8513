import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessSpec } from "./processes.ts";

export interface Launched {
  name: string;
  pid: number;
  /** Where its output goes. */
  log: string;
  /** Resolves, with what happened, when it ends. */
  ended: Promise<string>;
  /** Asks it to leave (SIGTERM), and kills it when it takes longer than `limitMs`. */
  stop(limitMs: number): Promise<void>;
  kill(): void;
}

export interface LaunchOptions {
  /** Folder that the command runs in. */
  cwd: string;
  logDir: string;
  /** What the process inherits; its own `env` is added. */
  env: Record<string, string | undefined>;
  /** Adds to the log; otherwise an earlier one is kept as `<name>.previous.log`, and a new one begun. */
  append?: boolean;
}

/** Starts a process in a group of its own (so that Ctrl-C reaches only us, and we stop things in order), its output in a log file. */
export async function launch(spec: ProcessSpec, { cwd, logDir, env, append }: LaunchOptions): Promise<Launched> {
  await mkdir(logDir, { recursive: true });
  const log = join(logDir, `${spec.name}.log`);
  if (!append) await rename(log, join(logDir, `${spec.name}.previous.log`)).catch(() => {});
  const file = await open(log, "a");
  const [program = "", ...args] = spec.command;
  const child = spawn(program === "node" ? process.execPath : program, args, {
    cwd,
    env: { ...env, ...spec.env },
    detached: true,
    stdio: ["ignore", file.fd, file.fd],
  });
  const kill = () => killGroup(child);
  process.once("exit", kill);
  const ended = once(child, "exit").then(
    ([code, signal]) => `${spec.name} ended ${signal === null ? `with exit code ${code}` : `by signal ${signal}`}`,
    (error: unknown) => `${spec.name} can't be run: ${String(error)}`,
  );
  await file.close();
  void ended.then(() => process.off("exit", kill));
  return {
    name: spec.name,
    pid: child.pid ?? 0,
    log,
    ended,
    stop: (limitMs) => stop(child, ended, limitMs),
    kill,
  };
}

async function stop(child: ChildProcess, ended: Promise<string>, limitMs: number): Promise<void> {
  if (hasEnded(child)) return;
  child.kill("SIGTERM");
  const timer = new AbortController();
  const limit = sleep(limitMs, "late", { signal: timer.signal }).catch(() => "stopped");
  if ((await Promise.race([ended, limit])) === "late") killGroup(child);
  timer.abort();
  await ended;
}

function killGroup(child: ChildProcess): void {
  if (hasEnded(child) || child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The last lines of a log, for an error message. */
export async function lastLines(log: string, count = 5): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "");
  return text.trim().split("\n").slice(-count).join("\n");
}
