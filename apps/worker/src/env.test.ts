import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { readConfig } from "./env.ts";

describe("the worker's configuration", () => {
  it("takes every kind, one job at a time, on all cores", () => {
    const config = readConfig([], {});
    expect(config).toMatchObject({ concurrency: 1, threads: availableParallelism(), datasetDirs: [] });
    expect(config.kinds).toContain("quantize");
  });

  it("lets an option win over its variable", () => {
    const env = { WHITTLE_KINDS: "train", WHITTLE_CONCURRENCY: "2" };
    expect(readConfig(["--kinds", "prune, quantize"], env)).toMatchObject({
      kinds: ["prune", "quantize"],
      concurrency: 2,
    });
  });

  it("shares the cores out among the jobs, and gives each at least one thread", () => {
    const concurrency = String(availableParallelism() * 2);
    expect(readConfig(["--concurrency", concurrency], {}).threads).toBe(1);
    expect(readConfig([], { WHITTLE_THREADS: "3" }).threads).toBe(3);
  });

  it("looks for lapsed claims of other workers five times in the time that one holds", () => {
    const lease = { WHITTLE_LEASE_SECONDS: "3" };
    expect(readConfig([], lease)).toMatchObject({ lockDurationMs: 3000, stalledIntervalMs: 600 });
    expect(() => readConfig([], { WHITTLE_LEASE_SECONDS: "0" })).toThrow(/WHITTLE_LEASE_SECONDS/);
  });

  it("keeps a process ready for the next job, unless it is told not to", () => {
    expect(readConfig([], {}).spare).toBe(true);
    expect(readConfig([], { WHITTLE_SPARE: "0" }).spare).toBe(false);
  });

  it("keeps ended jobs as long as it is told", () => {
    const { retention } = readConfig([], { WHITTLE_KEEP_FAILED: "7d:20" });
    expect(retention.failed).toEqual({ ageMs: 7 * 86_400_000, count: 20 });
    expect(retention.completed).toEqual({ ageMs: 30 * 86_400_000, count: 100_000 });
    expect(() => readConfig([], { WHITTLE_KEEP_FAILED: "7 days" })).toThrow(/WHITTLE_KEEP_FAILED.*30d:100000/);
  });

  it.each([
    [["--kinds", "train,trane"], /WHITTLE_KINDS[^]*trane is not a job kind; the kinds are .*train/],
    [["--concurrency", "0"], /WHITTLE_CONCURRENCY/],
    [["--threads", "2"], /there is no option --threads; there are --kinds, --concurrency/],
  ])("refuses %j and says what would be right", (argv, message) => {
    expect(() => readConfig(argv, {})).toThrow(message);
  });
});
