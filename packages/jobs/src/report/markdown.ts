import type { Comparison, FileRole, Manifest, Metrics, Proportion, VersionRecord } from "@whittle/contracts";

/** A published version, with the name of the one that it is compared with where that has one. */
export interface Published {
  record: VersionRecord;
  manifest: Manifest;
  parentName?: string;
}

/** What a person must know of a model before using it: what it is, from what and how it was made, what was measured, what it is not for. */
export function reportMarkdown(published: Published): string {
  const { record, manifest } = published;
  const sections = [
    `# ${record.name}@${record.version}`,
    verdict(published),
    "## Measured",
    measuredTable(published),
    measuredHow(published),
    ...classes(manifest.metrics),
    "## What it is",
    whatItIs(published),
    "### Formats",
    formats(manifest),
    "## What it is not for",
    limits(manifest),
    "## How it was made",
    howItWasMade(published),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function verdict({ record, parentName }: Published): string {
  const { recommendation } = record.measurements;
  if (!recommendation) return "";
  const other = parentName ?? "the model that it was made from";
  if (recommendation.recommended) return `**Recommended** in place of ${other}.`;
  return `**Not recommended** in place of ${other}: ${recommendation.reasons.join("; ")}.`;
}

function measuredTable({ record, manifest, parentName }: Published): string {
  const { metrics } = manifest;
  const { latencyMs, parentLatencyMs } = record.measurements;
  const { comparison } = metrics;
  const rows = [
    row("Accuracy", metrics.accuracy, comparison?.accuracy, describeProportion),
    row("Size as it is", metrics.bytes, undefined, bytes),
    row("Size gzipped", metrics.gzipBytes, comparison?.gzipBytes, bytes),
    row("Latency, batch 1, p50 / p95", latencyMs?.b1, parentLatencyMs?.b1, milliseconds),
    row("Latency, batch 32, p50 / p95", latencyMs?.b32, parentLatencyMs?.b32, milliseconds),
    row("Parameters", metrics.parameters, undefined, String),
    row("Multiply-accumulates of a sample", metrics.macs, undefined, String),
    row("Weights that are zero", metrics.sparsity, undefined, percent),
    row("Mean cross-entropy", metrics.loss, undefined, (loss) => loss.toFixed(4)),
  ];
  const other = comparison ? `${parentName ?? comparison.digest.slice(0, 19)} (${comparison.role})` : "";
  return table(["", "This model", ...(comparison ? [other] : [])], rows.flat(), comparison ? 3 : 2);
}

function row<T>(name: string, own: T | undefined, other: T | undefined, show: (value: T) => string): string[][] {
  if (own === undefined) return [];
  return [[name, show(own), other === undefined ? "" : show(other)]];
}

function measuredHow({ record, manifest }: Published): string {
  const { accuracy, comparison, control, fidelity } = manifest.metrics;
  const { cpu } = record.measurements;
  const lines = [
    accuracy && `Accuracy on ${accuracy.n} test samples of ${manifest.data?.name}, with its 95% interval (Wilson).`,
    comparison && describePair(comparison),
    control && describeControl(control),
    fidelity &&
      `The outputs differ by ${fidelity.meanDifference.toPrecision(3)} on average and ${fidelity.maxDifference.toPrecision(3)} at most; ${percent(fidelity.agreement.value)} of the predictions are the same.`,
    cpu &&
      `Latencies in ONNX Runtime, one thread, models in turn in one run, on ${cpu.model} (${cpu.threads} threads; ${instructions(cpu.flags)}).`,
  ];
  return lines.filter(Boolean).join(" ");
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
    return [label, String(samples), share(samples, correct), change];
  });
  const head = ["Class", "Samples", "Recognised", "Change"];
  return ["### Classes", table(head, rows, comparison?.perClass ? 4 : 3)];
}

function whatItIs({ manifest }: Published): string {
  const { family, signature, preprocessing, labels, compression } = manifest.config;
  const tensors = (specs: typeof signature.inputs) =>
    specs.map(({ name, datatype, shape }) => `\`${name}\` ${datatype} [${shape.join(", ")}]`).join(", ");
  return list([
    `A model of the family ${family}`,
    `Takes ${tensors(signature.inputs)}, where -1 is the batch, each raw value x as x * ${preprocessing.scale} + ${preprocessing.offset}`,
    `Gives ${tensors(signature.outputs)}: logits`,
    labels && `Classes, in order: ${labels.join(", ")}`,
    compression && `Compressed: ${JSON.stringify(compression)}`,
  ]);
}

const uses: Record<FileRole, string> = {
  tfjs: "TensorFlow.js (`tf.loadLayersModel`), with weights.bin beside it; what is trained and compressed further",
  weights: "the weights of model.json",
  onnx: "ONNX; what is served and was measured",
  "saved-model": "TensorFlow SavedModel (`tf.saved_model.load` of its folder), signature `serving_default`",
  report: "evidence that the job gathered",
};

function formats({ files }: Manifest): string {
  return list(files.map(({ path, role }) => `\`${path}\`: ${uses[role]}`));
}

function limits({ data, config: { labels } }: Manifest): string {
  return list([
    `It was made and measured on ${data?.name} only. How it answers samples of another origin was not measured`,
    `It knows ${labels ? `the ${labels.length} classes above` : "its classes"} and answers one of them whatever it is shown`,
    "Logits are not calibrated probabilities. Decisions about people need an evaluation of their own",
  ]);
}

function howItWasMade({ record, manifest }: Published): string {
  const { job, parents, data, versions } = manifest;
  return list([
    `Job ${record.jobId}, kind ${job.kind}, ${record.createdAt}${seconds(record.measurements.trainingSeconds)}`,
    data && `Data set ${data.name}, ${data.digest}`,
    ...parents.map(({ role, digest }) => `${role}: ${digest}`),
    `Made with ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `Digest ${record.digest}`,
  ]).concat(`\n\n\`\`\`json\n${JSON.stringify(job.params, undefined, 2)}\n\`\`\``);
}

function seconds(training: number | undefined): string {
  return training === undefined ? "" : `, ${training.toFixed(1)} s of training`;
}

function list(items: (string | false | undefined)[]): string {
  return items
    .filter((item) => item)
    .map((item) => `- ${item}.`)
    .join("\n");
}

function table(head: string[], rows: string[][], columns: number): string {
  const line = (cells: string[]) =>
    `| ${cells
      .slice(0, columns)
      .map((cell) => cell.replaceAll("|", "\\|"))
      .join(" | ")} |`;
  return [line(head), line(Array.from({ length: columns }, () => "---")), ...rows.map(line)].join("\n");
}

function describeProportion({ value, interval: [low, high] }: Proportion): string {
  return `${percent(value)} (${percent(low)} to ${percent(high)})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}

function points(difference: number): string {
  return `${difference > 0 ? "+" : ""}${(100 * difference).toFixed(1)} points`;
}

function bytes(count: number): string {
  return `${(count / 1000).toFixed(1)} KB`;
}

function milliseconds({ p50, p95 }: { p50: number; p95: number }): string {
  return `${p50.toFixed(3)} / ${p95.toFixed(3)} ms`;
}
