import os from "node:os";
import type { Violation } from "./check/index.ts";
import { startsOf } from "./check/publishes.ts";
import { figures, type Figure, type Figures } from "./figures.ts";
import { all, byJob, type Entry } from "./history.ts";

/** How a run was made. */
interface Setting {
  seed: number;
  store: string;
  workers: number;
  /** Whether each worker had a host of its own. */
  hosts: boolean;
  seconds: number;
}

export interface Report extends Setting {
  machine: string;
  finishedAt: string;
  /** How often each fault struck. */
  faults: Record<string, number>;
  /** How many jobs ended in each state; `failed` by its error. */
  jobs: Record<string, number>;
  /** Starts of jobs, and how many publications were made by a run that was not the last: see ADR 7. */
  starts: number;
  latePublications: number;
  /** In ms. */
  figures: Figures;
  violations: Violation[];
  /** Folder that the history and what the programs wrote are kept in, when a promise was broken. */
  evidence?: string;
}

export function makeReport(entries: readonly Entry[], violations: Violation[], setting: Setting): Report {
  const finals = all(entries, "final");
  const starts = byJob(entries, "begun");
  const late = all(entries, "version").filter(({ job, epoch }) => epoch < (starts.get(job)?.at(-1)?.epoch ?? 0));
  const cpu = os.cpus();
  return {
    ...setting,
    machine: `${cpu.length} cores, ${cpu[0]?.model.trim() ?? "unknown"}, load ${os.loadavg()[0]?.toFixed(1)}, Node ${process.version}`,
    finishedAt: new Date().toISOString(),
    faults: count(all(entries, "fault").map(({ kind }) => kind)),
    jobs: count(finals.map(({ state, error }) => (state === "failed" ? `failed: ${error?.code}` : state))),
    starts: [...startsOf(entries).values()].flat().length,
    latePublications: late.length,
    figures: figures(entries),
    violations,
  };
}

function count(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const shownLines = 20;

/** The report as lines of text. */
export function showReport(report: Report): string[] {
  const { faults, jobs, figures: measured, violations, seed } = report;
  const total = Object.values(faults).reduce((sum, each) => sum + each, 0);
  return [
    `${total} faults, seed ${seed}, store ${report.store}, ${report.workers} workers${report.hosts ? " on as many hosts" : ""}, ${Math.round(report.seconds)} s, ${report.machine}`,
    ...rows(faults),
    "jobs",
    ...rows({ ...jobs, starts: report.starts, "published by an earlier run": report.latePublications }),
    "ms (count, p50, p99, most)",
    row("job's process killed to taken again", figureText(measured.childKilledTaken)),
    row("  to running again", figureText(measured.childKilled)),
    row("  nothing else broken", figureText(measured.childKilledUndisturbed)),
    row("worker killed to taken again", figureText(measured.workerKilledTaken)),
    row("  to running again", figureText(measured.workerKilled)),
    row("  nothing else broken", figureText(measured.workerKilledUndisturbed)),
    row("    until it was noticed", figureText(measured.workerKilledParts.noticed)),
    row("    until a worker had it", figureText(measured.workerKilledParts.taken)),
    row("    until its process had begun", figureText(measured.workerKilledParts.begun)),
    row("worker's host lost to taken again", figureText(measured.hostLostTaken)),
    row("  to running again", figureText(measured.hostLost)),
    row("cancelled to process gone", figureText(measured.cancelled)),
    row("  nothing else broken", figureText(measured.cancelledUndisturbed)),
    row("picked up by an idle worker", figureText(measured.pickedUp)),
    ...violations.flatMap(({ invariant, message, lines }) => [
      `VIOLATION (seed ${seed}) ${invariant}: ${message}`,
      ...lines.slice(0, shownLines).map((line) => `  ${JSON.stringify(line)}`),
    ]),
    violations.length === 0
      ? "nothing lost, nothing doubled"
      : `${violations.length} violations, shown by ${report.evidence}`,
  ];
}

function rows(counts: Record<string, number>): string[] {
  return Object.entries(counts).map(([name, value]) => row(name, String(value)));
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(48)} ${text}`;
}

function figureText({ count: samples, p50, p99, max }: Figure): string {
  return [samples, p50, p99, max].map((value) => String(value).padStart(7)).join("");
}
