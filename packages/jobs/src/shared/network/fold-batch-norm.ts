import { parse } from "@whittle/contracts";
import type { ModelWeights, WeightData } from "@whittle/engine";
import type { LayerCall } from "@whittle/onnx";
import { z } from "zod";
import { kernelOf, without, type Network } from "./network.ts";

const normalization = z.object({ epsilon: z.number().default(1e-3) });

/**
 * Folds every batch normalization into the convolution or dense layer before it, with the moving statistics, where nothing else reads
 * that layer: W' = gamma W / sqrt(var + eps), b' = beta + (b - mean) gamma / sqrt(var + eps), per output channel. The model computes the
 * same as before, and trains as it will be quantized.
 */
export function foldBatchNorms(network: Network): Network {
  const pairs = network.calls.flatMap((norm) => {
    const producer = foldable(network, norm);
    return producer ? [{ norm, producer }] : [];
  });
  const weights = { ...network.weights };
  for (const { norm, producer } of pairs) fold(weights, norm, producer);
  const folded = new Map(pairs.map(({ producer }) => [producer.id, producer]));
  const calls = network.calls.map((call) =>
    folded.has(call.id)
      ? { ...call, layer: { ...call.layer, config: { ...call.layer.config, use_bias: true } } }
      : call,
  );
  return without({ ...network, calls, weights }, new Set(pairs.map(({ norm }) => norm)));
}

/** The layer that a normalization can be folded into. */
function foldable({ calls, outputs }: Network, norm: LayerCall): LayerCall | undefined {
  if (norm.layer.className !== "BatchNormalization") return undefined;
  const producer = calls.find(({ id }) => id === norm.inputs[0]);
  if (!producer || !kernelOf(producer.layer.name, producer.layer.className) || outputs.includes(producer.id))
    return undefined;
  const readers = calls.filter(({ inputs }) => inputs.includes(producer.id));
  const isUsedOnce = (call: LayerCall) => calls.filter(({ layer }) => layer.name === call.layer.name).length === 1;
  const activation = producer.layer.config["activation"] ?? "linear";
  const alone = readers.length === 1 && activation === "linear" && isUsedOnce(producer) && isUsedOnce(norm);
  return alone ? producer : undefined;
}

function fold(weights: ModelWeights, { layer: norm }: LayerCall, producer: LayerCall): void {
  const { name } = producer.layer;
  const { epsilon } = parse(normalization, norm.config, `Layer ${norm.name}`);
  const taken = (weight: string): Float32Array | undefined => {
    const data = weights[`${norm.name}/${weight}`]?.data;
    delete weights[`${norm.name}/${weight}`];
    return data;
  };
  const [gamma, beta, mean, variance] = ["gamma", "beta", "moving_mean", "moving_variance"].map(taken);
  const factor = Float64Array.from(variance ?? [], (v, c) => (gamma?.[c] ?? 1) / Math.sqrt(v + epsilon));
  const bias = weights[`${name}/bias`]?.data;
  const shift = (f: number, c: number) => (beta?.[c] ?? 0) + ((bias?.[c] ?? 0) - (mean?.[c] ?? 0)) * f;
  weights[`${name}/bias`] = { shape: [factor.length], data: Float32Array.from(factor, shift) };
  const kernel = kernelOf(name, producer.layer.className) ?? "";
  weights[kernel] = scaled(weights[kernel], factor);
}

function scaled(
  { shape, data }: WeightData = { shape: [], data: new Float32Array() },
  factor: Float64Array,
): WeightData {
  return { shape, data: data.map((weight, at) => weight * (factor[at % factor.length] ?? 0)) };
}
