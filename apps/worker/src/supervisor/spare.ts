import type { ChildProcess } from "node:child_process";
import type { Logger } from "pino";
import type { Entry } from "../entries.ts";
import { onLine, tell } from "./channel.ts";
import { forkGroup, killGroup } from "./fork.ts";

export interface SpareOptions {
  entry: Entry;
  env: Record<string, string | undefined>;
  log: Logger;
  /** How long it may take to load what jobs need, in ms. */
  loadMs?: number;
  /** How long it may take to answer, once it has loaded that, in ms. */
  answerMs?: number;
}

/**
 * A process that has loaded what jobs need before there is a job for it. No job knows of it until it is handed over: whatever becomes of it
 * before that costs the job at most `answerMs`.
 */
export interface Spare {
  /** Starts one, unless there is one. */
  prepare(): void;
  /** Hands it over: undefined where there is none, or it doesn't answer; then it has been killed. */
  take(): Promise<ChildProcess | undefined>;
  /** Kills it, and there is none any more. */
  close(): void;
}

interface Held {
  child: ChildProcess;
  loaded: boolean;
}

export function createSpare({ entry, env, log, loadMs = 60_000, answerMs = 2000 }: SpareOptions): Spare {
  let held: Held | undefined;
  let closed = false;

  const kill = (child: ChildProcess, why: string): void => {
    log.warn({ child: child.pid }, why);
    killGroup(child);
  };

  const start = (): void => {
    const child = forkGroup(entry, env);
    const spare: Held = { child, loaded: false };
    held = spare;
    log.debug({ child: child.pid }, "spare process started");
    void answers(child, loadMs).then((loaded) => {
      spare.loaded = loaded;
      if (loaded || held !== spare) return;
      held = undefined;
      kill(
        child,
        `the spare process can't be run, or has not loaded what jobs need in ${loadMs / 1000} s: it is killed`,
      );
    });
    child.once("exit", (code, signal) => {
      if (held !== spare) return;
      held = undefined;
      killGroup(child);
      const lines: string[] = [];
      onLine(child.stderr, (line) => lines.push(line));
      child.once("close", () => log.warn({ child: child.pid, code, signal, lines }, "the spare process has died"));
    });
  };

  return {
    prepare: () => {
      if (closed || held) return;
      try {
        start();
      } catch (error) {
        log.warn({ err: error }, "no spare process can be started");
      }
    },
    take: async () => {
      const spare = held;
      held = undefined;
      // One that still loads does what a new process would have to do as well.
      if (!spare?.loaded || (await answers(spare.child, answerMs))) return spare?.child;
      kill(spare.child, "the spare process does not answer: it is killed");
      return undefined;
    },
    close: () => {
      closed = true;
      if (held) killGroup(held.child);
      held = undefined;
    },
  };
}

/** Asks a process to load what jobs need. @returns whether it said within `limitMs` that it has. */
function answers(child: ChildProcess, limitMs: number): Promise<boolean> {
  tell(child, { type: "prepare" });
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs);
    const settle = (answered: boolean): void => {
      clearTimeout(timer);
      resolve(answered);
    };
    child.once("message", () => settle(true));
    child.once("exit", () => settle(false));
    child.once("error", () => settle(false));
  });
}
