import { decodeModel, type Node } from "./proto/model.ts";
import { intAttribute } from "./proto/node.ts";
import { DataType, elementCount, tensorData } from "./proto/tensor.ts";
import { indexGraph, type GraphIndex } from "./graph-index.ts";
import { isRecurrent } from "./quantize/plan.ts";
import { isConstant, storedWeight } from "./stored-weight.ts";

export interface ModelAnalysis {
  /** Elements of all weights, biases and other float constants, quantized or not. */
  parameters: number;
  /** Multiply-accumulates of one sample in convolutions, matrix products with weights and recurrent layers. */
  macs: number;
  /** Share of the weights, matrices and tables, that are exactly zero; biases and other vectors left out. 0 when there are none. */
  sparsity: number;
}

/** Nodes whose constants are settings and not parameters. */
const settings = new Set(["QuantizeLinear", "DequantizeLinear", "Clip", "Reshape"]);

const floatTypes = new Set<number>([DataType.FLOAT, DataType.FLOAT16]);

/** The weight of a layer: its name in the file, its elements and how many of them are zero. */
interface LayerWeight {
  name: string;
  count: number;
  zeros: number;
}

const outputsFirst = (node: Node) => node.opType === "Conv" || intAttribute(node, "transB", 0) === 1;

/** Along which axis of its weight a layer's output channels lie; a recurrent layer's first one is the direction. */
function channelAxis(node: Node, dims: readonly number[]): number {
  if (isRecurrent(node)) return 1;
  return outputsFirst(node) ? 0 : dims.length - 1;
}

/** Zeros of a weight. Per-channel zero points are along `axis` of [outer, channels, inner]. */
function countZeros(
  values: ArrayLike<number>,
  points: readonly number[],
  dims: readonly number[],
  axis: number,
): number {
  const inner = elementCount(dims.slice(axis + 1));
  let zeros = 0;
  for (let at = 0; at < values.length; at++) {
    const channel = points.length === 1 ? 0 : Math.floor(at / inner) % points.length;
    if (values[at] === points[channel]) zeros += 1;
  }
  return zeros;
}

/** The weight of a convolution or a matrix product, float or in integers. */
function layerWeight(node: Node, index: GraphIndex, input = 1): LayerWeight[] {
  const weight = storedWeight(index, node.input[input] ?? "");
  if (!weight) return [];
  const { name, dims } = weight;
  const ownZero = node.opType === "MatMulInteger" ? index.constants.get(node.input[3] ?? "") : undefined;
  const points = weight.zero ?? (ownZero ? Array.from(tensorData(ownZero), Number) : [0]);
  const axis = channelAxis(node, dims);
  return [{ name, count: elementCount(dims), zeros: countZeros(weight.values(), points, dims, axis) }];
}

/** A recurrent layer has one weight for its input and one for its state. */
function recurrentWeights(node: Node, index: GraphIndex): LayerWeight[] {
  return [1, 2].flatMap((input) => layerWeight(node, index, input));
}

/** Of a MatMulNBits, which keeps each output's weights in blocks of 4 bits with 8 for zero, the last block filled up with zeros. */
function blockedWeight(node: Node, index: GraphIndex): LayerWeight[] {
  const stored = index.constants.get(node.input[1] ?? "");
  if (!stored) return [];
  const count = intAttribute(node, "K", 0) * intAttribute(node, "N", 0);
  const codes = Array.from(tensorData(stored), Number).flatMap((byte) => [byte & 15, byte >> 4]);
  const zeros = codes.filter((code) => code === 8).length - (codes.length - count);
  return [{ name: stored.name, count, zeros }];
}

const weightsOf: Record<string, (node: Node, index: GraphIndex) => LayerWeight[]> = {
  Conv: (node, index) => layerWeight(node, index),
  Gemm: (node, index) => layerWeight(node, index),
  MatMul: (node, index) => layerWeight(node, index),
  MatMulInteger: (node, index) => layerWeight(node, index),
  MatMulNBits: blockedWeight,
  GRU: recurrentWeights,
  LSTM: recurrentWeights,
  RNN: recurrentWeights,
};

/** What other nodes read that is as large as a weight: embeddings, which are looked up, and positions, which are added. */
function tables(node: Node, index: GraphIndex): LayerWeight[] {
  if (settings.has(node.opType)) return [];
  return node.input.flatMap((input) => {
    const found = storedWeight(index, input);
    if (!found || !floatTypes.has(found.dataType) || found.dims.filter((size) => size > 1).length < 2) return [];
    const { name, dims } = found;
    return [{ name, count: elementCount(dims), zeros: countZeros(found.values(), [0], dims, 0) }];
  });
}

/** At how many places of one sample a layer's weights are applied. */
function placesOf(node: Node, index: GraphIndex): number {
  const [first = 1, ...rest] = index.sizes(node.output[0] ?? "");
  // The steps of what a recurrent layer gives.
  if (isRecurrent(node)) return first;
  return first * elementCount(node.opType === "Conv" ? rest.slice(1) : rest.slice(0, -1));
}

const total = (numbers: Iterable<number>) => [...numbers].reduce((sum, each) => sum + each, 0);

/** Constants that a node reads and that are parameters: no scales and zero points, no settings. */
function parameterInputs(node: Node, { producers }: GraphIndex): string[] {
  if (settings.has(node.opType)) return [];
  if (node.opType === "MatMulInteger") return node.input.slice(1, 2);
  if (node.opType === "MatMulNBits") return node.input.slice(5);
  const scaled = node.input.some((name) => producers.get(name)?.opType === "DynamicQuantizeLinear");
  return scaled ? [] : node.input;
}

function countParameters(nodes: readonly Node[], index: GraphIndex): number {
  const names = nodes.flatMap((node) => parameterInputs(node, index));
  const found = names.flatMap((name) => storedWeight(index, name) ?? []);
  // A scalar is a setting, such as the scale of attention's products.
  const floats = found.filter(({ dataType, dims }) => dataType !== DataType.INT64 && dims.length > 0);
  return total(new Map(floats.map(({ name, dims }) => [name, elementCount(dims)])).values());
}

/**
 * Counts a model's parameters, multiply-accumulates and zeros; a float model and its compressed forms give the same counts.
 * @throws AppError `corrupt` when the bytes are not a model, `unsupported` when a convolution's output shape is not declared.
 */
export function analyse(model: Uint8Array): ModelAnalysis {
  const { graph } = decodeModel(model);
  const index = indexGraph(graph);
  const nodes = graph.node.filter(({ output }) => output.some((name) => !isConstant(index, name)));
  const weights = new Map<string, LayerWeight>();
  let [macs, blocked] = [0, 0];
  for (const node of nodes) {
    for (const weight of weightsOf[node.opType]?.(node, index) ?? []) {
      macs += placesOf(node, index) * weight.count;
      if (node.opType === "MatMulNBits" && !weights.has(weight.name)) blocked += weight.count;
      weights.set(weight.name, weight);
    }
    for (const table of node.opType in weightsOf ? [] : tables(node, index)) weights.set(table.name, table);
  }
  const count = total([...weights.values()].map((each) => each.count));
  const zeros = total([...weights.values()].map((each) => each.zeros));
  return {
    parameters: countParameters(nodes, index) + blocked,
    macs,
    sparsity: count === 0 ? 0 : zeros / count,
  };
}
