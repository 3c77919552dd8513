import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runChaos, type ChaosOptions } from "./chaos.ts";
import { hostFaults } from "./faults/hosts.ts";
import { whyNoHosts } from "./hosts.ts";
import { showReport, type Report } from "./report.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-chaos-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs until `faults` have struck. */
async function run(more: Pick<ChaosOptions, "faults" | "hosts" | "only">): Promise<Report> {
  const history = join(folder, "history.jsonl");
  const report = await runChaos({
    ...more,
    seed: 7,
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
  expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(more.faults);
  expect(report.jobs["completed"]).toBeGreaterThan(0);
  expect(report.starts).toBeGreaterThan(0);
  const lines = (await readFile(history, "utf8")).trim().split("\n");
  expect(lines.filter((line) => line.includes('"what":"final"'))).toHaveLength(
    Object.values(report.jobs).reduce((sum, count) => sum + count, 0),
  );
  return report;
}

const timeout = 600_000;

it("nothing is lost and nothing doubled when workers, Redis, network, disk and API break", { timeout }, async () => {
  const report = await run({ faults: 12, hosts: false });
  expect(report.violations, showReport(report).join("\n")).toEqual([]);
});

const missing = whyNoHosts();
const skipped = missing === undefined ? "" : ` (SKIPPED: ${missing})`;

it.skipIf(missing !== undefined)(
  `the same when hosts are cut off and lost, whose clocks differ${skipped}`,
  { timeout },
  async () => {
    const report = await run({ faults: hostFaults.length, hosts: true, only: "host" });
    expect(report.violations, showReport(report).join("\n")).toEqual([]);
    expect(Object.keys(report.faults)).toEqual(hostFaults.map(({ kind }) => kind).toSorted());
  },
);
