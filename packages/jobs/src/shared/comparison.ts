import type { Comparison, Measurements, Metrics } from "@whittle/contracts";
import { confusionMatrix } from "./confusion.ts";
import type { Evaluation } from "./evaluation.ts";
import { mcNemar } from "./mcnemar.ts";

/** Each class' samples and how many of them were recognised. */
export function perClass(labels: Int32Array, { predictions }: Evaluation, names: string[]): Metrics["perClass"] {
  const matrix = confusionMatrix(labels, predictions, names.length);
  return matrix.map((row, at) => ({
    label: names[at] ?? String(at),
    samples: row.reduce((a, b) => a + b, 0),
    correct: row[at] ?? 0,
  }));
}

/** The model that another was made from, or its teacher: how it answers the test samples, and what it costs. */
interface Parent extends Pick<
  Comparison,
  "role" | "digest" | "bytes" | "gzipBytes" | "parameters" | "macs" | "sparsity"
> {
  evaluation: Evaluation;
}

/** How a model answers against a parent, on the same samples. */
export function compare(
  labels: Int32Array,
  { evaluation, ...parent }: Parent,
  own: Evaluation,
  names: string[],
): Comparison {
  const { onlyFirst, onlySecond, pValue } = mcNemar(labels, evaluation.predictions, own.predictions);
  return {
    ...parent,
    accuracy: evaluation.accuracy,
    perClass: perClass(labels, evaluation, names),
    mcNemar: { onlyParent: onlyFirst, onlyThis: onlySecond, pValue },
  };
}

/** A loss of accuracy is held against a model from here on (0.5 points), and only where McNemar's test finds it is no chance. */
const acceptedLoss = 0.005;
const significance = 0.05;
/** Two latencies within this share of each other are taken as the same: so much differs between two runs of one model. */
const latencyTolerance = 0.05;
/**
 * And so are two that are this close, in ms: a model of 11 to 18 us measured against itself, 360 times beside other work on the machine,
 * differed by up to 2 us.
 */
const latencyFloor = 0.005;

/** Whether to use a compressed model in place of the one that it was made from; the reasons speak against it. */
export function recommend(
  { accuracy, bytes, gzipBytes, comparison }: Metrics,
  { latencyMs, parentLatencyMs }: Measurements,
): Measurements["recommendation"] {
  if (comparison?.role !== "base" || !accuracy) return undefined;
  const reasons: string[] = [];
  const loss = comparison.accuracy.value - accuracy.value;
  const { pValue } = comparison.mcNemar;
  if (loss > acceptedLoss && pValue < significance)
    reasons.push(`it is ${(100 * loss).toFixed(2)} points less accurate (McNemar p = ${pValue.toPrecision(2)})`);
  for (const [own, other, name] of [
    [bytes, comparison.bytes, "larger"],
    [gzipBytes, comparison.gzipBytes, "larger when gzipped"],
  ] as const) {
    if (own !== undefined && other !== undefined && own > other)
      reasons.push(`it is ${name}: ${own} bytes for ${other}`);
  }
  for (const [batch, name] of [
    ["b1", "batch 1"],
    ["b32", "batch 32"],
  ] as const) {
    const [own, other] = [latencyMs?.[batch].p50, parentLatencyMs?.[batch].p50];
    if (own !== undefined && other !== undefined && own - other > Math.max(latencyFloor, other * latencyTolerance))
      reasons.push(`it is slower at ${name}: ${own.toFixed(3)} ms for ${other.toFixed(3)} ms`);
  }
  return { recommended: reasons.length === 0, reasons };
}
