import { formatBytes, type Comparison, type Manifest, type Metrics, type VersionRecord } from "@whittle/contracts";
import { describeExecution } from "../shared/execution.ts";
import { describeCompression } from "./compression.ts";
import { describeFormats, describeLimits, describeModel } from "./model.ts";
import { settingsTable } from "./settings.ts";
import { count, describeProportion, list, milliseconds, percent, points, ratio, table } from "./text.ts";

/** A published version, with the name of the one that it is compared with where that has one. */
export interface Published {
  record: VersionRecord;
  manifest: Manifest;
  parentName?: string;
}

/** What a person must know of a model before using it: what it is, from what and how it was made, what was measured, what it is not for. */
export function reportMarkdown(published: Published): string {
  const { record, manifest } = published;
  const compression = describeCompression(manifest);
  const sections = [
    `# ${record.name}@${record.version}`,
    summary(published),
    verdict(published),
    "## Measured",
    measuredTable(published),
    measuredHow(published),
    ...classes(manifest.metrics),
    "## What it is",
    describeModel(manifest),
    ...(compression === undefined ? [] : ["### Compressed", compression]),
    "### Formats",
    describeFormats(manifest),
    "## What it is not for",
    describeLimits(manifest),
    "## How it was made",
    howItWasMade(published),
    "### Settings",
    settingsTable(manifest.job, namesOf(published)),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function summary({ manifest, parentName }: Published): string {
  const { config, job, parents, data } = manifest;
  const [parent] = parents;
  const from = parent ? ` from ${parentName ?? shortened(parent.digest)} (${parent.role})` : "";
  const told = config.labels ? ` of ${config.labels.length} classes` : "";
  return `A classifier${told}, made by a job of the kind \`${job.kind}\`${from}${data ? ` with the data set ${data.name}` : ""}.`;
}

function verdict({ record, parentName }: Published): string {
  const { recommendation } = record.measurements;
  if (!recommendation) return "";
  const other = parentName ?? "the model that it was made from";
  if (recommendation.recommended) return `**Recommended** in place of ${other}.`;
  return `**Not recommended** in place of ${other}: ${recommendation.reasons.join("; ")}.`;
}

const size = ["smaller", "larger"] as const;
const work = ["fewer", "more"] as const;
const speed = ["faster", "slower"] as const;

function measuredTable({ record, manifest, parentName }: Published): string {
  const { metrics } = manifest;
  const { latencyMs, parentLatencyMs } = record.measurements;
  const { comparison } = metrics;
  const change = (words: readonly [string, string]) => (own: number, other: number) => ratio(own, other, words);
  const faster = (own: { p50: number }, other: { p50: number }) => ratio(own.p50, other.p50, speed);
  const rows = [
    row("Accuracy", [metrics.accuracy, comparison?.accuracy], describeProportion, (own, other) =>
      points(own.value - other.value),
    ),
    row("Size as it is", [metrics.bytes, comparison?.bytes], formatBytes, change(size)),
    row("Size gzipped", [metrics.gzipBytes, comparison?.gzipBytes], formatBytes, change(size)),
    row("Latency, batch 1, p50 / p95", [latencyMs?.b1, parentLatencyMs?.b1], milliseconds, faster),
    row("Latency, batch 32, p50 / p95", [latencyMs?.b32, parentLatencyMs?.b32], milliseconds, faster),
    row("Parameters", [metrics.parameters, comparison?.parameters], count, change(work)),
    row("Multiply-accumulates of a sample", [metrics.macs, comparison?.macs], count, change(work)),
    row("Weights that are zero", [metrics.sparsity, comparison?.sparsity], percent),
    row("Mean cross-entropy", [metrics.loss, undefined], (loss) => loss.toFixed(4)),
  ];
  const other = comparison ? `${parentName ?? shortened(comparison.digest)} (${comparison.role})` : "";
  return table(["", "This model", other, "Change"], rows.flat(), comparison ? 4 : 2);
}

function row<T>(
  name: string,
  [own, other]: [T | undefined, T | undefined],
  show: (value: T) => string,
  change?: (own: T, other: T) => string,
): string[][] {
  if (own === undefined) return [];
  if (other === undefined) return [[name, show(own), "", ""]];
  return [[name, show(own), show(other), change?.(own, other) ?? ""]];
}

function measuredHow({ record, manifest }: Published): string {
  const { accuracy, comparison, control, fidelity } = manifest.metrics;
  const { cpu } = record.measurements;
  return list([
    accuracy &&
      `Accuracy on ${count(accuracy.n)} test samples of ${manifest.data?.name}, with its 95% interval (Wilson).`,
    comparison && describePair(comparison),
    control && describeControl(control),
    fidelity &&
      `The outputs differ by ${fidelity.meanDifference.toPrecision(3)} on average and ${fidelity.maxDifference.toPrecision(3)} at most; ${percent(fidelity.agreement.value)} of the predictions are the same.`,
    cpu &&
      `Latencies in ONNX Runtime, one thread, models in turn in one run, on ${cpu.model} (${cpu.threads} threads; ${instructions(cpu.flags)}).`,
  ]);
}

function describePair({ mcNemar: { onlyParent, onlyThis, pValue } }: Comparison): string {
  const difference = pValue < 0.05 ? "is no chance" : "may be chance";
  return `Only the other model is right on ${onlyParent} samples, only this one on ${onlyThis}: the difference ${difference} (McNemar's exact test, p = ${pValue.toPrecision(2)}).`;
}

function describeControl({
  accuracy,
  mcNemar: { onlyControl, onlyThis, pValue },
}: NonNullable<Metrics["control"]>): string {
  return `Trained without a teacher, by the same seed and settings, it has an accuracy of ${describeProportion(accuracy)}: only then it is right on ${onlyControl} samples, only with the teacher on ${onlyThis} (p = ${pValue.toPrecision(2)}).`;
}

/** Instruction sets that decide how fast integers are. */
function instructions(flags: string[]): string {
  const known = flags.filter((flag) => /^(avx2|avx512f|avx512_vnni|avx_vnni|amx_int8|asimddp|i8mm)$/.test(flag));
  return known.join(", ") || "no vector instructions known";
}

function classes({ perClass, comparison }: Metrics): string[] {
  if (!perClass) return [];
  const share = (samples: number, correct: number) => (samples === 0 ? "" : percent(correct / samples));
  const rows = perClass.map(({ label, samples, correct }, at) => {
    const other = comparison?.perClass?.[at];
    const change = other && samples > 0 ? points((correct - other.correct) / samples) : "";
    return [label, count(samples), share(samples, correct), change];
  });
  const head = ["Class", "Samples", "Recognised", "Change"];
  return ["### Classes", table(head, rows, comparison?.perClass ? 4 : 3)];
}

function howItWasMade(published: Published): string {
  const { record, manifest } = published;
  const { job, parents, data, versions } = manifest;
  const names = namesOf(published);
  const { trainingSeconds, execution } = record.measurements;
  return list([
    `Job ${record.jobId} of the kind ${job.kind}, ${record.createdAt}`,
    trainingSeconds !== undefined &&
      `Trained for ${trainingSeconds.toFixed(1)} s${execution ? `, ${describeExecution(execution)}` : ""}`,
    data && `Data set ${data.name}, ${data.digest}`,
    ...parents.map(({ role, digest }) => {
      const name = names.get(digest);
      return `From its ${role} ${name ? `${name}, ` : ""}${digest}`;
    }),
    `With ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `Digest ${record.digest}`,
  ]);
}

/** Names of the parents, as far as they are known. */
function namesOf({ manifest: { parents }, parentName }: Published): ReadonlyMap<string, string> {
  const [first] = parents;
  return new Map(first && parentName !== undefined ? [[first.digest, parentName]] : []);
}

function shortened(digest: string): string {
  return digest.slice(0, 19);
}
