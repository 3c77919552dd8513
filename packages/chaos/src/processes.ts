import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProgramOptions {
  name: string;
  /** File that Node runs. */
  program: string;
  env: Record<string, string | undefined>;
  log: string;
}

/** A program that is started again whenever it ends. */
export interface Program {
  name: string;
  /** Of the process that runs now. */
  pid(): number;
  /** Sends a signal to it. */
  signal(name: NodeJS.Signals): void;
  /** Kills it, and starts it again with no file larger than `kibibytes`, or without a limit. */
  restart(kibibytes?: number): void;
  /** Asks it to leave, and kills it after `limitMs`; it is not started again. */
  stop(limitMs: number): Promise<void>;
}

const pauseMs = 100;

export function keepRunning({ name, program, env, log }: ProgramOptions): Program {
  const output = createWriteStream(log, { flags: "a" });
  const leave = new AbortController();
  let largest: number | undefined;
  const start = (): ChildProcess => {
    const command = [process.execPath, "--enable-source-maps", program];
    const [first = "", ...rest] =
      largest === undefined ? command : ["bash", "-c", `ulimit -f ${largest}; exec "$@"`, "bash", ...command];
    // What it writes comes through pipes, so that the limit is on its own files only.
    const child = spawn(first, rest, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    return child;
  };
  let current = start();
  const kill = (): void => void current.kill("SIGKILL");
  process.once("exit", kill);
  const stay = async (): Promise<void> => {
    while (!leave.signal.aborted) {
      await once(current, "exit");
      if (leave.signal.aborted) return;
      await sleep(pauseMs);
      current = start();
    }
  };
  const staying = stay();
  return {
    name,
    pid: () => current.pid ?? 0,
    signal: (wanted) => void current.kill(wanted),
    restart: (kibibytes) => {
      largest = kibibytes;
      current.kill("SIGKILL");
    },
    stop: async (limitMs) => {
      leave.abort();
      current.kill("SIGTERM");
      const killer = setTimeout(() => current.kill("SIGKILL"), limitMs);
      await staying;
      process.off("exit", kill);
      clearTimeout(killer);
      output.end();
    },
  };
}

export interface ProcessInfo {
  pid: number;
  parent: number;
  command: string;
}

/** The processes of this machine whose command names `text`; those that have ended and were not yet collected are none. */
export function findProcesses(text: string): ProcessInfo[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, "utf8"))?.[1]);
      return command.includes(text) && isAlive(Number(entry)) ? [{ pid: Number(entry), parent, command }] : [];
    } catch {
      return []; // It has just ended.
    }
  });
}

/** Whether a process is there, and not only waits for its parent to collect it. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Sends a signal to a process that may have ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
