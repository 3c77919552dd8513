import { readFileSync } from "node:fs";
import type { JobResources } from "@whittle/contracts";

export interface Usage extends JobResources {
  rssBytes: number;
}

/** Linux counts CPU time in hundredths of a second, whatever its kernel's own clock. */
const ticksPerSecond = 100;

/** What a process has used so far; undefined when it is gone, and where there is no /proc. */
export function readUsage(pid: number): Usage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    // The second field is the program's name, which may hold spaces and brackets; user and system time are fields 14 and 15.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    return { cpuSeconds, rssBytes: bytes(status, "VmRSS"), peakRssBytes: bytes(status, "VmHWM") };
  } catch {
    return undefined;
  }
}

function bytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
}
