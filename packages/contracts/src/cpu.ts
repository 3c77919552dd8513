import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus } from "node:os";

export interface CpuInfo {
  model: string;
  /** The instruction sets that decide how fast and how exactly kernels run, as the kernel names them; empty where it does not tell. */
  flags: string[];
  /** Hardware threads that this process may use. */
  threads: number;
}

const relevant = /^(sse4_|avx|fma$|f16c$|amx|asimd|sve|i8mm$|bf16$|neon$)/;

/** Reads the text of /proc/cpuinfo, of x86 (`model name`, `flags`) or of ARM (`Features`). */
export function parseCpuInfo(text: string): { model?: string; flags: string[] } {
  const field = (name: string) => new RegExp(`^${name}\\s*: *(.+)$`, "m").exec(text)?.[1]?.trim();
  const flags = (field("flags") ?? field("Features") ?? "").split(/\s+/).filter((flag) => relevant.test(flag));
  const model = field("model name");
  return { ...(model !== undefined && { model }), flags: flags.toSorted() };
}

/** The processor of this machine, from /proc/cpuinfo where there is one and from Node's own list elsewhere. */
export function cpuInfo(): CpuInfo {
  const found = parseCpuInfo(readProcFile());
  return { model: found.model ?? cpus()[0]?.model ?? arch(), flags: found.flags, threads: availableParallelism() };
}

function readProcFile(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
