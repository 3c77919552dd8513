import type { Manifest, ModelConfig } from "@whittle/contracts";
import { count, percent, table } from "./text.ts";

type Compression = NonNullable<ModelConfig["compression"]>;
type Quantization = NonNullable<Compression["quantization"]>;

/** What was done to a model's weights, as a table; undefined where nothing was. */
export function describeCompression({ config, metrics }: Manifest): string | undefined {
  const { prunedSparsity, channels, quantization } = config.compression ?? {};
  const rows: (readonly [string, string])[] = [
    ...(channels ? [["Channels left", widths(channels)] as const] : []),
    ...(prunedSparsity === undefined ? [] : [["Weights made zero", percent(prunedSparsity)] as const]),
    ...(metrics.clusters === undefined
      ? []
      : [["Different weights in a layer", `at most ${metrics.clusters}`] as const]),
    ...(quantization ? describeQuantization(quantization) : []),
  ];
  if (rows.length === 0) return undefined;
  return table(
    ["What", "How"],
    rows.map((row) => [...row]),
  );
}

function widths(channels: NonNullable<Compression["channels"]>): string {
  return Object.entries(channels)
    .map(([layer, left]) => `${layer} ${count(left)}`)
    .join(", ");
}

const methods: Record<string, string> = {
  static: "integers, with ranges of the activations found beforehand",
  aware: "integers, after training on with everything rounded as it is now",
  dynamic: "integers, with ranges of the activations found at every call",
  weights: "float32, from integers in the file",
  float16: "float32, from half precision in the file",
};

const shared: Record<string, string> = {
  channel: "one for each output channel",
  tensor: "one for each layer",
  block: "one for each block of inputs of a channel",
};

function describeQuantization(quantization: Quantization): (readonly [string, string])[] {
  const { bits, storedBits, covered, method = "static", granularity, scheme, layers } = quantization;
  const { calibrator, rounding, biasCorrection, equalized } = quantization;
  const computes = ["Computes in", methods[method] ?? method] as const;
  if (method === "float16") return [computes, ["Weights", "16 bits"]];
  const integers = calibrator !== undefined || method === "dynamic";
  const apart = Object.entries(layers ?? {}).map(([layer, own]) => `${layer} ${own === "float" ? own : bitsOf(own)}`);
  const corrections = [equalized && "ranges of neighbouring layers equalized", biasCorrection && "biases corrected"];
  return [
    computes,
    ...(covered === undefined || covered === 1
      ? []
      : [["Weights quantized", `${percent(covered)}, the others are float`] as const]),
    [
      "Weights",
      `${bitsOf(bits)}, ${scheme}, ${rounding === "adaround" ? "rounded by AdaRound" : "rounded to nearest"}`,
    ],
    ["Scales", shared[granularity] ?? granularity],
    ...(apart.length > 0 ? [["Layers that differ", apart.join(", ")] as const] : []),
    ...(storedBits === undefined ? [] : [["A weight in the file", `${storedBits} bits on average`] as const]),
    ...(integers ? [["Activations", `8 bits${calibrator ? `, ranges by ${calibrator}` : ""}`] as const] : []),
    ...corrections.flatMap((what) => (what ? [["Also", what] as const] : [])),
  ];
}

function bitsOf(bits: number): string {
  return bits === 1 ? "1 bit" : `${bits} bits`;
}
