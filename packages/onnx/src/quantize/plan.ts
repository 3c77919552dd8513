import { indexGraph, type GraphIndex } from "../graph-index.ts";
import type { Graph, Node, Tensor } from "../proto/model.ts";
import { floatAttribute, intAttribute } from "../proto/node.ts";
import { DataType, elementCount, tensorData } from "../proto/tensor.ts";
import type { Settings } from "./settings.ts";
import type { WeightLayout } from "./weights.ts";

/** A layer whose weights become integers; a recurrent one has two weights and so stands here twice. */
export interface QuantizedLayer {
  node: Node;
  /** Which of the node's inputs the weight is. */
  input: number;
  weight: Tensor;
  bias?: Tensor;
  layout: WeightLayout;
}

export function isRecurrent({ opType }: Node): boolean {
  return opType === "GRU" || opType === "LSTM" || opType === "RNN";
}

/** A layer's name: its node's, or else its output's; of a recurrent layer, which has several, its weight's. */
export function layerName({ node, weight }: Pick<QuantizedLayer, "node" | "weight">): string {
  return isRecurrent(node) ? weight.name : node.name || (node.output[0] ?? "");
}

/** The axis of a layer's weight along which its output channels lie. */
export function channelAxis({ node, weight, layout }: QuantizedLayer): number {
  if (layout.axis === "last") return weight.dims.length - 1;
  return isRecurrent(node) ? 1 : 0;
}

export interface QuantizationPlan {
  layers: QuantizedLayer[];
  /**
   * Every activation that becomes uint8, with the activation whose scale and zero point it shares: itself, or the one that it is a
   * rearrangement or a selection of.
   */
  activations: Map<string, string>;
}

/** Operators whose output holds no other values than their first input; others, such as a shape, say how. */
const rearranging = new Set(["MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze"]);
/** Operators with an int8 kernel that are quantized where their inputs are so already. */
const following = new Set([...rearranging, "Add", "Concat", "AveragePool", "GlobalAveragePool"]);
/** QLinearConv has a kernel for sequences and one for images. */
const MOST_CONVOLUTION_DIMS = 4;

function asLayer(node: Node, { constants }: GraphIndex): QuantizedLayer | undefined {
  const weight = constants.get(node.input[1] ?? "");
  const bias = constants.get(node.input[2] ?? "");
  if (weight?.dataType !== DataType.FLOAT || (node.input[2] && !bias)) return undefined;
  const last = weight.dims.at(-1) ?? 0;
  const layer = { node, input: 1, weight, ...(bias && { bias }) };
  if (node.opType === "Conv" && weight.dims.length <= MOST_CONVOLUTION_DIMS)
    return { ...layer, layout: { channels: weight.dims[0] ?? 0, axis: "first" } };
  if (node.opType === "MatMul" && weight.dims.length === 2)
    return { ...layer, layout: { channels: last, axis: "last" } };
  if (node.opType !== "Gemm") return undefined;
  const transposed = intAttribute(node, "transB", 0) === 1;
  const plain =
    ["alpha", "beta"].every((name) => floatAttribute(node, name, 1) === 1) && !intAttribute(node, "transA", 0);
  const axis = transposed ? "first" : "last";
  const channels = transposed ? (weight.dims[0] ?? 0) : last;
  // A bias that is broadcast, a scalar for instance, is not what the integer kernel adds.
  const fits = !bias || elementCount(bias.dims) === channels;
  return plain && fits ? { ...layer, layout: { channels, axis } } : undefined;
}

/**
 * Whether what a node cuts off lies outside the range of an unsigned integer whose zero point is 0: all below 0, and above it what is
 * beyond the values seen. Only then is it part of the quantization.
 */
function cutsAtZero({ opType, input }: Node, { constants }: GraphIndex): boolean {
  if (opType !== "Clip") return opType === "Relu";
  const least = constants.get(input[1] ?? "");
  return least !== undefined && Number(tensorData(least)[0]) === 0;
}

/** The tensor after a node and the Relu or Clip that follows it alone: what the fused kernel gives. */
function resultOf(node: Node, index: GraphIndex, outputs: ReadonlySet<string>): string {
  const [own = ""] = node.output;
  const [reader, ...others] = index.readers(own);
  if (!reader || others.length > 0 || outputs.has(own) || rearranging.has(node.opType)) return own;
  return cutsAtZero(reader, index) ? (reader.output[0] ?? own) : own;
}

/** Data inputs of a node, without its constants and what only says how to rearrange them. */
function dataInputs(node: Node, { constants }: GraphIndex): string[] {
  const data = rearranging.has(node.opType) ? node.input.slice(0, 1) : node.input;
  return data.filter((name) => name !== "" && !constants.has(name));
}

/** The products of inputs and states with the weights of a recurrent layer that runs in one direction: [1, gates * units, inputs]. */
function asRecurrent(node: Node, { constants }: GraphIndex): QuantizedLayer[] {
  return [1, 2].flatMap((input) => {
    const weight = constants.get(node.input[input] ?? "");
    const [directions, channels = 0] = weight?.dims ?? [];
    if (weight?.dataType !== DataType.FLOAT || directions !== 1) return [];
    return [{ node, input, weight, layout: { channels, axis: "first" as const } }];
  });
}

/**
 * The convolutions and matrix products with constant weights that a method may quantize, in the graph's order. Recurrent layers, which
 * ONNX Runtime computes in float, are among them where only the file is to hold integers.
 */
export function quantizableLayers(graph: Graph, method: Settings["method"] = "static"): QuantizedLayer[] {
  const index = indexGraph(graph);
  return graph.node.flatMap((node) =>
    isRecurrent(node) ? (method === "weights" ? asRecurrent(node, index) : []) : (asLayer(node, index) ?? []),
  );
}

/**
 * Decides what else is quantized around the layers that are: what they read and give, and the pools, sums and rearrangements that would otherwise
 * force a conversion. The graph's outputs stay float where their producer can give that.
 */
export function planQuantization(graph: Graph, layers: QuantizedLayer[]): QuantizationPlan {
  const index = indexGraph(graph);
  const outputs = new Set(graph.output.map(({ name }) => name));
  const layerNodes = new Set(layers.map(({ node }) => node));
  const marked = new Set<string>();
  const markResult = (node: Node) => {
    const result = resultOf(node, index, outputs);
    // QGemm gives float as well as uint8, and a float MatMul result is added to a float bias; QLinearConv only gives uint8.
    const staysFloat =
      node.opType === "MatMul" || (outputs.has(result) && node.opType !== "Conv" && index.readers(result).length === 0);
    if (!staysFloat) marked.add(result);
  };
  for (const { node } of layers) {
    marked.add(node.input[0] ?? "");
    markResult(node);
  }
  for (let before = -1; before !== marked.size;) {
    before = marked.size;
    for (const node of graph.node.filter(({ opType }) => following.has(opType))) {
      const inputs = dataInputs(node, index);
      if (rearranging.has(node.opType) && marked.has(node.output[0] ?? "")) inputs.forEach((name) => marked.add(name));
      // A sum or a concatenation with a constant has no integer kernel.
      const whole = rearranging.has(node.opType) || inputs.length === node.input.length;
      if (inputs.length > 0 && whole && inputs.every((name) => marked.has(name))) markResult(node);
    }
  }
  // ONNX Runtime (1.30) fails on a product in float before a Clip that stays and whose result is quantized.
  for (const { node } of layers) {
    const [own = ""] = node.output;
    const isClipped = index.readers(own).some(({ opType, output }) => opType === "Clip" && marked.has(output[0] ?? ""));
    if (isClipped && resultOf(node, index, outputs) === own) marked.add(own);
  }
  return { layers, activations: groupActivations(graph, index, marked, layerNodes) };
}

function groupActivations(
  graph: Graph,
  index: GraphIndex,
  marked: ReadonlySet<string>,
  layerNodes: ReadonlySet<Node>,
): Map<string, string> {
  const groups = new Map<string, string>();
  for (const { name } of graph.input) if (marked.has(name)) groups.set(name, name);
  for (const node of graph.node) {
    const [input = ""] = dataInputs(node, index);
    const shared = rearranging.has(node.opType) && !layerNodes.has(node) ? groups.get(input) : undefined;
    for (const name of node.output) if (marked.has(name)) groups.set(name, shared ?? name);
  }
  return groups;
}
