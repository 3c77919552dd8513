import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { formatStages, writeReport, type DemoReport, type StageReport } from "./report.ts";

function stage(name: StageReport["name"], bytes: number): StageReport {
  return {
    name,
    model: `fashion-${name}@1`,
    digest: `sha256:${"0".repeat(64)}`,
    accuracy: 0.9136,
    accuracyInterval: [0.9079, 0.9189],
    bytes,
    gzipBytes: bytes / 2,
    latencyMs: { b1: { p50: 0.1, p95: 0.5 }, b32: { p50: 0.6, p95: 9.25 } },
  };
}

const report: DemoReport = {
  dataset: "fashion-mnist",
  testSamples: 10_000,
  startedAt: "2025-01-01T00:00:00.000Z",
  seconds: 101,
  pipeline: "p1",
  backend: { backend: "tensorflow", version: "2.21.0", gpu: false, threads: 2 },
  cpu: { model: "CPU", threads: 2 },
  warnings: ["LESS DATA"],
  stages: [stage("teacher", 800_000), stage("quantized", 100_000)],
  serving: { model: "fashion-int8@prod", url: "http://x", images: 200, correct: 180, protocols: ["A", "B"] },
};

it("formats the stages as aligned columns, sizes against the teacher's", () => {
  expect(formatStages(report.stages).split("\n")).toEqual([
    "Stage      Accuracy (95% interval)        Size      gzip  Smaller  b1 p50  b1 p95  b32 p50  b32 p95",
    "teacher    91.36% (90.79% to 91.89%)  800.0 kB  400.0 kB     1.0x   0.100   0.500    0.600    9.250",
    "quantized  91.36% (90.79% to 91.89%)  100.0 kB   50.0 kB     8.0x   0.100   0.500    0.600    9.250",
  ]);
});

it("writes the report as JSON and as Markdown, warnings included", async () => {
  const folder = await mkdtemp(join(tmpdir(), "whittle-report-"));
  await writeReport(join(folder, "demo"), report);
  expect(JSON.parse(await readFile(join(folder, "demo/report.json"), "utf8"))).toEqual(report);
  const markdown = await readFile(join(folder, "demo/report.md"), "utf8");
  expect(markdown).toContain("**LESS DATA**");
  expect(markdown).toContain("| quantized | 91.36% (90.79% to 91.89%) | 100.0 kB |");
  expect(markdown).toContain("180 of 200 test images right");
  await rm(folder, { recursive: true });
});
