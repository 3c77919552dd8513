import type { ModelConfig } from "@whittle/contracts";
import type { QuantizedModel, Quantizer, QuantizerOptions } from "@whittle/onnx";
import type { JobContext } from "../shared/context.ts";
import type { QuantizeParams } from "./contract.ts";
import type { Precision } from "./mixed-precision.ts";

type Quantization = NonNullable<NonNullable<ModelConfig["compression"]>["quantization"]>;

/** What a manifest says of a quantization. */
export function describeQuantization(
  params: QuantizeParams,
  { calibrator }: QuantizerOptions,
  { layers: names }: Quantizer,
  quantized: QuantizedModel,
): Quantization {
  const { method, granularity, scheme, rounding, biasCorrection, equalize } = params;
  if (method === "float16") return { bits: 16, storedBits: 16, granularity: "none", scheme: "float16", method };
  return {
    ...precisionsOf(names, quantized),
    storedBits: meanStoredBits(quantized),
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

/** Tells each layer, and what runs in the end. */
export function logLayers(context: JobContext, { layers, fused }: QuantizedModel, params: QuantizeParams): void {
  for (const { name, operator, weights, bits, storedBits, signalToNoise } of layers) {
    const stored = storedBits === bits ? "" : ` (${storedBits} in the file)`;
    context.log(
      "info",
      `${name}: ${operator}, ${weights} weights of ${bits} bits${stored}, ${signalToNoise.toFixed(1)} dB`,
    );
  }
  const most = Math.max(...layers.map(({ bits }) => bits));
  if (params.bits === 8 && most === 7)
    context.log("warn", "the weights have 7 bits, not 8: with more, a processor without VNNI instructions saturates");
  const counts = Object.entries(fused).map(([operator, count]) => `${count} ${operator}`);
  context.log("info", `ONNX Runtime runs it as ${counts.join(", ")}`);
}

/** The bits that the quantized weights have: the most, and the layers that have others. */
function precisionsOf(names: readonly string[], { layers }: QuantizedModel): Pick<Quantization, "bits" | "layers"> {
  const bits = Math.max(...layers.map((layer) => layer.bits));
  const own = new Map<string, Precision>(layers.map((layer) => [layer.name, layer.bits]));
  const others = names.flatMap((name) => {
    const precision = own.get(name) ?? "float";
    return precision === bits ? [] : [[name, precision] as const];
  });
  return { bits, ...(others.length > 0 && { layers: Object.fromEntries(others) }) };
}
