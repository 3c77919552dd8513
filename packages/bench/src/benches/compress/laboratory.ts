import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Metrics, NewJobEvent } from "@whittle/contracts";
import { runJob } from "@whittle/jobs/runners";
import { openStore } from "@whittle/store";
import { loadDataset, type Dataset } from "@whittle/zoo";
import type { BenchOptions, Check } from "../../bench.ts";
import type { Rivals } from "./rivals.ts";

/** A model that a job made. */
export interface Made {
  digest: string;
  metrics: Metrics;
  onnx: Uint8Array;
}

/** A `train` job's parameters; `epochs` are those of a whole run. */
export interface ModelSpec {
  dataset: string;
  family: string;
  familyParams: Record<string, unknown>;
  epochs: number;
  [setting: string]: unknown;
}

export interface Laboratory extends Pick<BenchOptions, "rounds" | "say"> {
  /** The Python tools that there are. */
  rivals: Rivals;
  /** How many of a whole run's epochs are run here. */
  epochs: (whole: number, of?: "training" | "fine-tuning") => number;
  /** The model of a spec, trained once however many cases use it. */
  train: (spec: ModelSpec) => Promise<Made>;
  /** Runs a job as a worker does. */
  run: (kind: string, params: Record<string, unknown>) => Promise<Made>;
  /** As far as a run of this length reads it. */
  data: (name: string) => Promise<Dataset>;
  close: () => Promise<void>;
}

/** One comparison: its figures are named `compress/<name>/...`. */
export interface Case {
  name: string;
  /** Takes too long for a run of everything: only where it is asked for by name. */
  long?: boolean;
  run: (laboratory: Laboratory) => Promise<Check[]>;
}

/** What a quick run takes. */
const quickSamples = { train: 30_000 };
const quickShare = 4;

/** A store and a folder in which jobs run; `close` removes the folder. */
export async function openLaboratory(options: BenchOptions, rivals: Rivals): Promise<Laboratory> {
  const { rounds, say, quick = false } = options;
  const store = await openStore("memory:");
  const folder = await mkdtemp(path.join(os.tmpdir(), "whittle-bench-"));
  const limit = quick ? quickSamples : undefined;
  let jobs = 0;

  const run: Laboratory["run"] = async (kind, params) => {
    const id = `${kind}-${++jobs}`;
    const envelope = { id, kind, params: { ...params, ...(limit && { limit }) }, output: { name: id }, ...constant };
    const host = { store, workDir: path.join(folder, id), emit: teller(id, say), signal: new AbortController().signal };
    const { artifact } = await runJob(envelope, host);
    if (!artifact) throw new Error(`${kind} publishes nothing to compare`);
    const manifest = await store.manifest(artifact.digest);
    const onnx = await store.readFile(manifest, "onnx");
    return { digest: artifact.digest, metrics: manifest.metrics, onnx };
  };
  const epochs: Laboratory["epochs"] = (whole, of = "training") =>
    of === "training" && options.epochs !== undefined ? options.epochs : quick ? Math.ceil(whole / quickShare) : whole;
  return {
    rounds,
    say,
    rivals,
    run,
    epochs,
    train: once((spec: ModelSpec) => run("train", { ...spec, epochs: epochs(spec.epochs) })),
    data: once((name: string) => loadDataset(name, { limit })),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

const constant = { timeoutSeconds: 86_400, createdAt: new Date(0).toISOString(), submittedBy: "bench" };

/** Remembers what a function gave for each argument; the argument is compared by its content. */
function once<A, R>(make: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  const made = new Map<string, Promise<R>>();
  return (argument) => {
    const key = JSON.stringify(argument);
    const found = made.get(key) ?? make(argument);
    made.set(key, found);
    return found;
  };
}

/** Says what a job logs: its epochs and what it measured among it. */
function teller(id: string, say: (line: string) => void): (event: NewJobEvent) => void {
  return (event) => {
    if (event.type === "log" && event.level !== "debug") say(`  ${id}: ${event.message}`);
  };
}
