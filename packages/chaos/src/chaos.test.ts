import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runChaos } from "./chaos.ts";
import { showReport } from "./report.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-chaos-"));
});
afterAll(() => rm(folder, { recursive: true }));

const seed = 7;
const faults = 12;

it(
  "nothing is lost and nothing doubled when workers, Redis, network, disk and API break",
  { timeout: 600_000 },
  async () => {
    const history = join(folder, "history.jsonl");
    const report = await runChaos({
      faults,
      seed,
      workers: 2,
      store: "fs",
      leaseSeconds: 1.5,
      graceSeconds: 1,
      idleJobs: 1,
      env: process.env,
      history,
      enough: new AbortController().signal,
      say: () => {},
    });
    expect(report.violations, showReport(report).join("\n")).toEqual([]);
    expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(faults);
    expect(report.jobs["completed"]).toBeGreaterThan(0);
    expect(report.starts).toBeGreaterThan(0);
    const lines = (await readFile(history, "utf8")).trim().split("\n");
    expect(lines.filter((line) => line.includes('"what":"final"'))).toHaveLength(
      Object.values(report.jobs).reduce((sum, count) => sum + count, 0),
    );
  },
);
