import type { ModelConfig } from "@whittle/contracts";
import type { QuantizedModel, QuantizerOptions } from "@whittle/onnx";
import type { JobContext } from "../shared/context.ts";
import { percent } from "../shared/training.ts";
import type { QuantizeParams } from "./contract.ts";
import type { Precision } from "./mixed-precision.ts";

type Quantization = NonNullable<NonNullable<ModelConfig["compression"]>["quantization"]>;

/** Below this share of its weights a model is hardly quantized, whatever its bits say. */
const LEAST_COVERED = 0.5;

/** What a manifest says of a quantization. */
export function describeQuantization(
  params: QuantizeParams,
  { calibrator }: QuantizerOptions,
  quantized: QuantizedModel,
): Quantization {
  const { method, granularity, scheme, rounding, biasCorrection, equalize } = params;
  const covered = Math.round(1e4 * quantized.coverage.covered) / 1e4;
  if (method === "float16")
    return { bits: 16, storedBits: 16, covered, granularity: "none", scheme: "float16", method };
  return {
    ...precisionsOf(quantized),
    storedBits: meanStoredBits(quantized),
    covered,
    granularity,
    scheme,
    method,
    rounding,
    biasCorrection,
    equalized: equalize,
    ...((method === "static" || method === "aware") && { calibrator }),
  };
}

/** To hundredths. */
function meanStoredBits({ layers }: QuantizedModel): number {
  const weights = layers.reduce((sum, each) => sum + each.weights, 0);
  const bits = layers.reduce((sum, each) => sum + each.weights * each.storedBits, 0);
  return Math.round((100 * bits) / weights) / 100;
}

/** Tells each layer, what stays float, and what runs in the end. */
export function logLayers(
  context: JobContext,
  { layers, coverage, fused }: QuantizedModel,
  { bits, averageBits }: Pick<QuantizeParams, "bits" | "averageBits">,
): void {
  for (const layer of layers) {
    const stored = layer.storedBits === layer.bits ? "" : ` (${Number(layer.storedBits.toFixed(2))} in the file)`;
    const loss = Number.isFinite(layer.signalToNoise) ? `${layer.signalToNoise.toFixed(1)} dB` : "exact";
    context.log(
      "info",
      `${layer.name}: ${layer.operator}, ${layer.weights} weights of ${layer.bits} bits${stored}, ${loss}`,
    );
  }
  logCoverage(context, coverage);
  const most = Math.max(...layers.map((layer) => layer.bits));
  if (bits === 8 && averageBits === undefined && most === 7)
    context.log("warn", "the weights have 7 bits, not 8: with more, a processor without VNNI instructions saturates");
  const counts = Object.entries(fused).map(([operator, count]) => `${count} ${operator}`);
  context.log("info", `ONNX Runtime runs it as ${counts.join(", ")}`);
}

function logCoverage(context: JobContext, { covered, left }: QuantizedModel["coverage"]): void {
  if (left.length === 0) return;
  const each = left.map(({ name, operator, weights, reason }) => `${name} (${operator}, ${weights}: ${reason})`);
  const message = `${percent(covered)} of the weights are quantized; in float are ${each.join(", ")}`;
  context.log(covered < LEAST_COVERED ? "warn" : "info", message);
}

/** The bits that the quantized weights have: the most, and the layers that have others. */
function precisionsOf({ layers, coverage }: QuantizedModel): Pick<Quantization, "bits" | "layers"> {
  const bits = Math.max(...layers.map((layer) => layer.bits));
  const others: (readonly [string, Precision])[] = [
    ...layers.filter((layer) => layer.bits !== bits).map((layer) => [layer.name, layer.bits] as const),
    ...coverage.left.map(({ name }) => [name, "float"] as const),
  ];
  return { bits, ...(others.length > 0 && { layers: Object.fromEntries(others) }) };
}
