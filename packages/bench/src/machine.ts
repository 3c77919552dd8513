import os from "node:os";

/** What a figure was measured on. */
export function machine(): Record<string, string | number> {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown",
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    os: `${os.type()} ${os.release()}`,
    node: process.version,
    /** What else ran when the benchmark began: processes that were ready to run, on average over a minute. */
    load: Number(os.loadavg()[0]?.toFixed(1)),
  };
}
