import { AppError, type JobResources } from "@whittle/contracts";
import { readUsage } from "./usage.ts";

export interface Limits {
  /** Memory that a job's process may hold (resident), in bytes; none by default. */
  memoryBytes?: number | undefined;
  /**
   * How long a process may be silent without using the CPU, in ms: then it hangs. Native code blocks the event loop, so a process that
   * is silent and busy is left alone until `stallMs`.
   */
  silentMs: number;
  /** How long a job may go without an event or a checkpoint, in ms. */
  stallMs: number;
}

/** Watches one process. */
export interface Watch {
  /** It has said something. */
  heard(what: "beat" | "progress"): void;
  stop(): void;
}

const everyMs = 1000;
/** CPU time in a tick below which a process counts as idle, in seconds; an idle event loop takes less. */
const idleCpuSeconds = 0.02;

/**
 * Looks at a process every second. Time is counted in looks, so that a worker which was frozen itself does not take its children for dead.
 * @param violated is called once, with what the job then fails with.
 */
export function watchProcess(
  pid: number,
  limits: Limits,
  on: { violated(error: AppError): void; used(resources: JobResources): void },
): Watch {
  let silent = 0;
  let stalled = 0;
  let cpu = 0;
  const look = (): void => {
    const usage = readUsage(pid);
    const idle = usage !== undefined && usage.cpuSeconds - cpu < idleCpuSeconds;
    silent = idle ? silent + everyMs : 0;
    stalled += everyMs;
    if (usage) {
      cpu = usage.cpuSeconds;
      on.used({ cpuSeconds: usage.cpuSeconds, peakRssBytes: usage.peakRssBytes });
    }
    const error = violation({ silent, stalled, rssBytes: usage?.rssBytes ?? 0 }, limits);
    if (!error) return;
    clearInterval(timer);
    on.violated(error);
  };
  const timer = setInterval(look, everyMs);
  const heard: Watch["heard"] = (what) => {
    silent = 0;
    if (what === "progress") stalled = 0;
  };
  return { heard, stop: () => clearInterval(timer) };
}

function violation(
  { silent, stalled, rssBytes }: { silent: number; stalled: number; rssBytes: number },
  { memoryBytes = Infinity, silentMs, stallMs }: Limits,
): AppError | undefined {
  if (rssBytes > memoryBytes)
    return new AppError(
      "out_of_memory",
      `The job's process held ${rssBytes} bytes of memory, and may hold ${memoryBytes} (WHITTLE_JOB_MEMORY_BYTES)`,
    );
  if (silent >= silentMs)
    return new AppError("worker_lost", `The job's process hung: it was silent and idle for ${silentMs / 1000} s`);
  if (stalled >= stallMs)
    return new AppError("timeout", `The job told no progress for ${stallMs / 1000} s (WHITTLE_STALL_SECONDS)`);
  return undefined;
}
