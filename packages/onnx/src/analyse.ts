import { decodeModel, type Node, type Tensor } from "./proto/model.ts";
import { intAttribute } from "./proto/node.ts";
import { DataType, elementCount, tensorData } from "./proto/tensor.ts";
import { indexGraph, type GraphIndex } from "./graph-index.ts";

export interface ModelAnalysis {
  /** Elements of all weights, biases and other float constants, quantized or not. */
  parameters: number;
  /** Multiply-accumulates of one sample in convolutions and matrix products. */
  macs: number;
  /** Share of the weights of convolutions and matrix products that are exactly zero; biases left out. 0 when there are none. */
  sparsity: number;
}

const weighted = new Set(["Conv", "Gemm", "MatMul"]);
/** Nodes whose constants are settings and not parameters. */
const settings = new Set(["QuantizeLinear", "DequantizeLinear", "Clip", "Reshape"]);

/** A constant that a node reads, directly or through DequantizeLinear, with its zero points. */
function constantBehind(
  { constants, producers }: GraphIndex,
  name: string,
): { values: Tensor; zero?: Tensor } | undefined {
  const direct = constants.get(name);
  if (direct) return { values: direct };
  const dequantize = producers.get(name);
  const values = dequantize?.opType === "DequantizeLinear" ? constants.get(dequantize.input[0] ?? "") : undefined;
  const zero = constants.get(dequantize?.input[2] ?? "");
  return values && { values, ...(zero && { zero }) };
}

function macsOf(node: Node, { dims }: Tensor, index: GraphIndex): number {
  const [output = ""] = node.output;
  if (node.opType === "Gemm") return elementCount(dims);
  if (node.opType === "Conv") return elementCount(index.shape(output).slice(2)) * elementCount(dims);
  return elementCount(index.shape(output).slice(1, -1)) * elementCount(dims);
}

/** Zeros of a weight. Per-channel zero points are along `axis` of [outer, channels, inner]. */
function countZeros(values: Tensor, zero: Tensor | undefined, axis: number): number {
  const data = tensorData(values);
  const points = zero ? Array.from(tensorData(zero), Number) : [0];
  const inner = elementCount(values.dims.slice(axis + 1));
  let zeros = 0;
  data.forEach((value: number | bigint, at: number) => {
    const channel = points.length === 1 ? 0 : Math.floor(at / inner) % points.length;
    if (Number(value) === points[channel]) zeros += 1;
  });
  return zeros;
}

const total = (numbers: Iterable<number>) => [...numbers].reduce((sum, each) => sum + each, 0);

function countParameters(nodes: readonly Node[], index: GraphIndex): number {
  const found = nodes.flatMap(({ input }) => input.flatMap((name) => constantBehind(index, name)?.values ?? []));
  const floats = found.filter(({ dataType }) => dataType !== DataType.INT64);
  return total(new Map(floats.map(({ name, dims }) => [name, elementCount(dims)])).values());
}

/**
 * Counts a model's parameters, multiply-accumulates and zeros; a float model and its int8 form give the same counts.
 * @throws AppError `corrupt` when the bytes are not a model, `unsupported` when a convolution's output shape is not declared.
 */
export function analyse(model: Uint8Array): ModelAnalysis {
  const { graph } = decodeModel(model);
  const index = indexGraph(graph);
  const nodes = graph.node.filter(({ opType }) => !settings.has(opType));
  const weights = new Map<string, { count: number; zeros: number }>();
  let macs = 0;
  for (const node of nodes.filter(({ opType }) => weighted.has(opType))) {
    const weight = constantBehind(index, node.input[1] ?? "");
    if (!weight) continue;
    macs += macsOf(node, weight.values, index);
    const outputsFirst = node.opType === "Conv" || intAttribute(node, "transB", 0) === 1;
    const axis = outputsFirst ? 0 : weight.values.dims.length - 1;
    const zeros = countZeros(weight.values, weight.zero, axis);
    weights.set(weight.values.name, { count: elementCount(weight.values.dims), zeros });
  }
  const count = total([...weights.values()].map((each) => each.count));
  const zeros = total([...weights.values()].map((each) => each.zeros));
  return { parameters: countParameters(nodes, index), macs, sparsity: count === 0 ? 0 : zeros / count };
}
