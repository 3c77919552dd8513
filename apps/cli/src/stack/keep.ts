import { setTimeout as sleep } from "node:timers/promises";
import { launch, type Launched, type LaunchOptions } from "./launch.ts";
import type { ProcessSpec } from "./processes.ts";

export interface KeepOptions extends LaunchOptions {
  say: (line: string) => void;
  /** How long a process must have run for its end to count as a first one. */
  steadyMs?: number;
  /** Pause before the first new start; it doubles with each end that follows at once. */
  pauseMs?: number;
}

/** A process that is started again when it ends by itself, once it has been `trusted`. */
export interface Kept extends Launched {
  /** Says that it has started well; until then its end is final, because it would only fail again. */
  trust(): void;
}

const maxEndsInARow = 5;

/**
 * Starts a process and starts it again, after a pause that grows, whenever it ends without being told to. `ended` resolves when it was
 * stopped, was not trusted yet, or has ended five times in a row soon after its start.
 */
export async function keep(spec: ProcessSpec, options: KeepOptions): Promise<Kept> {
  const { say, steadyMs = 60_000, pauseMs = 500 } = options;
  let current = await launch(spec, options);
  let trusted = false;
  const leave = new AbortController();
  const untilItStays = async (): Promise<string> => {
    for (let ends = 1, began = Date.now(); ; began = Date.now()) {
      const what = await current.ended;
      if (leave.signal.aborted || !trusted) return what;
      ends = Date.now() - began > steadyMs ? 1 : ends + 1;
      if (ends > maxEndsInARow) return `${what}, and so ${maxEndsInARow} times in a row`;
      say(`${what}; starting it again (its log is ${current.log})`);
      await sleep(pauseMs * 2 ** (ends - 1), undefined, { signal: leave.signal }).catch(() => {});
      if (leave.signal.aborted) return what;
      current = await launch(spec, { ...options, append: true });
      if (leave.signal.aborted) current.kill();
    }
  };
  const ended = untilItStays();
  return {
    name: spec.name,
    log: current.log,
    ended,
    get pid() {
      return current.pid;
    },
    trust: () => (trusted = true),
    stop: async (limitMs) => {
      leave.abort();
      await current.stop(limitMs);
      await ended;
    },
    kill: () => {
      leave.abort();
      current.kill();
    },
  };
}
