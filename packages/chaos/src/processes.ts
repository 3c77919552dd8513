import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Host } from "./hosts.ts";

export interface ProgramOptions {
  name: string;
  /** File that Node runs. */
  program: string;
  env: Record<string, string | undefined>;
  log: string;
  /** Where it runs; without one, here. */
  host?: Host;
}

/** A program that is started again whenever it ends. */
export interface Program {
  name: string;
  /** Of the process that runs now, as this machine knows it; 0 while there is none. */
  pid(): number;
  /** Sends a signal to it. */
  signal(name: NodeJS.Signals): void;
  /** Kills it, and starts it again with no file larger than `kibibytes`, or without a limit. */
  restart(kibibytes?: number): void;
  /** Asks it to leave, and kills it after `limitMs`; it is not started again. */
  stop(limitMs: number): Promise<void>;
}

const pauseMs = 100;

export function keepRunning({ name, program, env, log, host }: ProgramOptions): Program {
  const output = createWriteStream(log, { flags: "a" });
  const leave = new AbortController();
  let largest: number | undefined;
  const start = (): ChildProcess => {
    const node = [process.execPath, "--enable-source-maps", program];
    const command = largest === undefined ? node : ["bash", "-c", `ulimit -f ${largest}; exec "$@"`, "bash", ...node];
    const [first = "", ...rest] = host ? host.command(command) : command;
    // What it writes comes through pipes, so that the limit is on its own files only.
    const child = spawn(first, rest, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    return child;
  };
  let current = start();
  const pid = (): number => (host ? childOf(current.pid ?? 0) : (current.pid ?? 0));
  const send = (wanted: NodeJS.Signals): void => (pid() > 0 ? signal(pid(), wanted) : void current.kill(wanted));
  const kill = (): void => send("SIGKILL");
  process.once("exit", kill);
  const stay = async (): Promise<void> => {
    while (!leave.signal.aborted) {
      await once(current, "exit");
      await sleep(pauseMs);
      if (leave.signal.aborted) return;
      current = start();
    }
  };
  const staying = stay();
  return {
    name,
    pid,
    signal: send,
    restart: (kibibytes) => {
      largest = kibibytes;
      kill();
    },
    stop: async (limitMs) => {
      leave.abort();
      send("SIGTERM");
      const killer = setTimeout(kill, limitMs);
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

/** The processes of this machine; those that have ended and were not yet collected are none. */
export function allProcesses(): ProcessInfo[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, "utf8"))?.[1]);
      return isAlive(Number(entry)) ? [{ pid: Number(entry), parent, command }] : [];
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

/** The first child of a process; 0 when it has none. */
export function childOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0]);
  } catch {
    return 0; // It has ended.
  }
}

/** Sends a signal to a process that may have ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  if (pid === 0) return; // The kernel would take it for our own group.
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
