import type { ArtifactDraft } from "@whittle/contracts";
import { barChart, lineChart } from "../shared/plot.ts";
import type { BitBudget } from "./bit-budget.ts";
import type { Verdict } from "./judge.ts";
import type { MixedPrecision } from "./mixed-precision.ts";

/** One try of a search: what was tried, the size of the model, and how it answered. */
export interface Trial<T> {
  setting: T;
  bytes: number;
  verdict: Verdict;
}

/** What a quantization was decided on, all of it measured on training samples that took no part in calibrating. */
export interface Evidence {
  heldOutSamples: number;
  /** Of the float model. */
  float: Verdict;
  /** Of the model quantized without training, where it is trained for it. */
  untrained?: Verdict;
  tolerance?: number;
  calibrators?: { trials: Trial<string>[]; chosen: string };
  bits?: { trials: Trial<number>[]; chosen: number };
  mixedPrecision?: MixedPrecision;
  bitBudget?: BitBudget;
  /** Of the model that is published. */
  quantized: Verdict;
}

/** The report of a quantization as files: what was tried and chosen, and plots of it. */
export function evidenceFiles(evidence: Evidence): ArtifactDraft["files"] {
  const encode = (content: string) => new TextEncoder().encode(content);
  const svg = (path: string, content: string) =>
    ({ path, role: "report", mediaType: "image/svg+xml", bytes: encode(content) }) as const;
  const { bits, mixedPrecision, bitBudget } = evidence;
  return [
    {
      path: "quantization.json",
      role: "report",
      mediaType: "application/json",
      bytes: encode(`${JSON.stringify(evidence, undefined, 2)}\n`),
    },
    ...(bits ? [svg("bits.svg", bitsChart(evidence, bits.trials))] : []),
    ...(mixedPrecision ? [svg("sensitivity.svg", sensitivityChart(mixedPrecision))] : []),
    ...(bitBudget ? [svg("curves.svg", curvesChart(bitBudget)), svg("layers.svg", layersChart(bitBudget))] : []),
  ];
}

function bitsChart({ float, tolerance = 0, heldOutSamples }: Evidence, trials: readonly Trial<number>[]): string {
  const points = trials.map(({ setting, verdict }) => [setting, 100 * verdict.accuracy] as const);
  return lineChart({
    title: "Accuracy by the bits of a weight",
    x: { label: "Bits of a weight" },
    y: { label: `Accuracy on ${heldOutSamples} held-out samples`, unit: "%" },
    series: [{ name: "quantized", points }],
    level: { name: "least that is allowed", y: 100 * (float.accuracy - tolerance) },
  });
}

function sensitivityChart({ sensitivity, assignment }: MixedPrecision): string {
  return barChart({
    title: "What quantizing each layer alone costs (orange: left in more bits or float)",
    y: { label: "KL divergence from the float model (nats)", log: true },
    bars: sensitivity.map(({ layer, verdict }) => ({
      name: layer,
      value: verdict.divergence,
      highlighted: assignment[layer] !== undefined,
    })),
  });
}

/** More curves in one chart can't be told apart. */
const MOST_CURVES = 6;

function curvesChart(budget: BitBudget): string {
  const { curves, chosen } = budget;
  const largest = curves.toSorted((a, b) => b.weights - a.weights).slice(0, MOST_CURVES);
  const which = curves.length > MOST_CURVES ? `each of the ${MOST_CURVES} largest layers` : "each layer";
  return lineChart({
    title: `What quantizing ${which} alone costs (large marks: chosen)`,
    x: { label: "Bits of a weight" },
    y: { label: "KL divergence from the float model (nats)", log: true },
    series: largest.map(({ layer, points }) => ({
      name: layer,
      points: points.map(({ bits, verdict }) => [bits, verdict.divergence] as const),
      marked: budget[chosen].bits[layer],
    })),
  });
}

function layersChart(budget: BitBudget): string {
  const { curves, chosen, averageBits } = budget;
  return barChart({
    title: `The bits of each layer's weights, ${budget[chosen].averageBits.toFixed(2)} on average (orange: above the budget of ${averageBits})`,
    y: { label: "Bits of a weight" },
    bars: curves.map(({ layer, weights }) => {
      const bits = budget[chosen].bits[layer] ?? 0;
      return { name: `${layer} (${weights})`, value: bits, label: String(bits), highlighted: bits > averageBits };
    }),
    level: { name: "budget", y: averageBits },
  });
}
