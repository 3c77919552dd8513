import { floatAttribute } from "../proto/node.ts";
import type { Node } from "../proto/model.ts";
import type { GraphBuilder } from "./graph-builder.ts";

interface Affine {
  factor: Float64Array;
  mean: ArrayLike<number>;
  beta: ArrayLike<number>;
}

function floats(graph: GraphBuilder, name: string | undefined): Float32Array {
  const data = graph.constants.get(name ?? "")?.data;
  return data instanceof Float32Array ? data : new Float32Array();
}

function statistics(graph: GraphBuilder, norm: Node): Affine {
  const [gamma, beta, mean, variance] = norm.input.slice(1).map((name) => floats(graph, name));
  const epsilon = floatAttribute(norm, "epsilon", 1e-5);
  const factor = Float64Array.from(gamma ?? [], (g, c) => g / Math.sqrt((variance?.[c] ?? 1) + epsilon));
  return { factor, mean: mean ?? [], beta: beta ?? [] };
}

/** Multiplies each output channel's weights; channels are axis 0 of a Conv's kernel and axis 1 of a Gemm's. */
function scaleKernel(data: Float32Array, opType: string, factor: Float64Array): Float32Array {
  const channels = factor.length;
  const perChannel = data.length / channels;
  const channelOf = opType === "Conv" ? (at: number) => Math.floor(at / perChannel) : (at: number) => at % channels;
  return data.map((weight, at) => weight * (factor[channelOf(at)] ?? 0));
}

/** Where the normalization may be folded: a Conv or Gemm that nothing else reads, with weights of its own. */
function foldable(graph: GraphBuilder, norm: Node): Node | undefined {
  const value = norm.input[0] ?? "";
  const producer = graph.nodes.find((each) => each.output[0] === value);
  if (!producer || (producer.opType !== "Conv" && producer.opType !== "Gemm")) return undefined;
  const readers = (name: string) => graph.nodes.filter((each) => each.input.includes(name)).length;
  return [value, ...producer.input.slice(1)].every((name) => readers(name) === 1) ? producer : undefined;
}

/**
 * Folds every batch normalization into the convolution or dense layer before it, where there is one:
 * W' = gamma W / sqrt(var + eps), b' = beta + (b - mean) gamma / sqrt(var + eps), per output channel.
 */
export function foldBatchNorms(graph: GraphBuilder): void {
  for (const norm of graph.nodes.filter((each) => each.opType === "BatchNormalization")) {
    const producer = foldable(graph, norm);
    const [input = "", kernelName = "", biasName] = producer?.input ?? [];
    const kernel = graph.constants.get(kernelName);
    if (!producer || !kernel) continue;
    const { factor, mean, beta } = statistics(graph, norm);
    const bias = floats(graph, biasName);
    const folded = Float32Array.from(factor, (f, c) => (beta[c] ?? 0) + ((bias[c] ?? 0) - (mean[c] ?? 0)) * f);
    graph.constants.set(kernelName, {
      dims: kernel.dims,
      data: scaleKernel(floats(graph, kernelName), producer.opType, factor),
    });
    const foldedName = biasName ?? `${kernelName.replace(/kernel.*$/, "")}bias`;
    graph.constants.set(foldedName, { dims: [factor.length], data: folded });
    producer.input = [input, kernelName, foldedName];
    producer.output = norm.output;
    graph.nodes = graph.nodes.filter((each) => each !== norm);
  }
}
