import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes, type BackendInfo } from "@whittle/contracts";
import { markdownTable, table } from "../terminal/table.ts";
import type { StageName } from "./recipe.ts";

interface Latency {
  p50: number;
  p95: number;
}

export interface StageReport {
  name: StageName;
  /** `fashion-teacher@1`. */
  model: string;
  digest: string;
  accuracy: number;
  /** 95%, Wilson, on the test samples. */
  accuracyInterval: [number, number];
  /** Of the ONNX file that is served. */
  bytes: number;
  gzipBytes: number;
  /** Milliseconds of one call, all stages measured in turn in one run. */
  latencyMs: { b1: Latency; b32: Latency };
}

export interface ServingReport {
  model: string;
  url: string;
  images: number;
  correct: number;
  protocols: string[];
}

export interface DemoReport {
  dataset: string;
  testSamples: number;
  startedAt: string;
  seconds: number;
  pipeline: string;
  backend: BackendInfo;
  cpu: { model: string; threads: number };
  warnings: string[];
  stages: StageReport[];
  serving: ServingReport;
}

const head = ["Stage", "Accuracy (95% interval)", "Size", "gzip", "Smaller", "b1 p50", "b1 p95", "b32 p50", "b32 p95"];

/** The stages as rows; times in ms, `Smaller` against the teacher. */
function stageRows(stages: StageReport[]): string[][] {
  const largest = stages.find(({ name }) => name === "teacher")?.bytes ?? 1;
  const rows = stages.map(
    ({ name, accuracy, accuracyInterval: [low, high], bytes, gzipBytes, latencyMs: { b1, b32 } }) => [
      name,
      `${percent(accuracy)} (${percent(low)} to ${percent(high)})`,
      formatBytes(bytes),
      formatBytes(gzipBytes),
      `${(largest / bytes).toFixed(1)}x`,
      ...[b1.p50, b1.p95, b32.p50, b32.p95].map((ms) => ms.toFixed(3)),
    ],
  );
  return [head, ...rows];
}

/** The table for a terminal. */
export function formatStages(stages: StageReport[]): string {
  return table(stageRows(stages), [2, 3, 4, 5, 6, 7, 8]);
}

/** Writes report.json and report.md into `folder`. */
export async function writeReport(folder: string, report: DemoReport): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "report.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFile(join(folder, "report.md"), markdown(report));
}

function markdown(report: DemoReport): string {
  const { dataset, testSamples, startedAt, seconds, backend, cpu, warnings, stages, serving } = report;
  return [
    `# Whittle's main job on ${dataset}`,
    ...warnings.map((warning) => `**${warning}**`),
    `${startedAt}, ${seconds.toFixed(0)} s in all; trained on ${backend.backend} ${backend.version}${backend.gpu ? " (GPU)" : ""}; ${cpu.model}, ${cpu.threads} threads.`,
    `Accuracy on the ${testSamples} test samples, in ONNX Runtime. Sizes are of the ONNX file (1 kB is 1000 bytes); times are ms of one call with one thread, all models in turn in one run.`,
    markdownTable(stageRows(stages)),
    `Served as ${serving.model}: ${serving.correct} of ${serving.images} test images right, the same over ${serving.protocols.join(" and ")}.`,
    "",
  ].join("\n\n");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
