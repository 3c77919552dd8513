import { indexGraph } from "../graph-index.ts";
import type { Graph, Node, Tensor } from "../proto/model.ts";
import { DataType, elementCount } from "../proto/tensor.ts";
import { isRecurrent, layerName, quantizableLayers } from "./plan.ts";
import type { Settings } from "./settings.ts";

/** A weight that a quantization leaves in float, and why. */
export interface FloatWeight {
  name: string;
  operator: string;
  weights: number;
  reason: string;
}

/** How much of a model a quantization takes. Weights are matrices and tables; biases and other vectors are not counted. */
export interface Coverage {
  /** The share of the weights, by their number. */
  covered: number;
  /** The others, the largest first. */
  left: FloatWeight[];
}

/** @param taken whether a weight's elements become integers, or float16. */
export function coverageOf(graph: Graph, method: Settings["method"], taken: (weight: Tensor) => boolean): Coverage {
  const { constants } = indexGraph(graph);
  const layers = new Map(quantizableLayers(graph, method).map((layer) => [layer.weight, layer]));
  const readers = new Map<Tensor, Node>();
  for (const node of graph.node) {
    for (const weight of weightInputs(node).flatMap((name) => constants.get(name) ?? [])) {
      // A bias may be written as [1, n], and a slope for each channel as [n, 1, 1].
      const isVector = weight.dims.filter((size) => size > 1).length < 2 && !layers.has(weight);
      const counts = weight.dataType === DataType.FLOAT && weight.dims.length > 1 && !isVector;
      if (counts && !readers.has(weight)) readers.set(weight, node);
    }
  }
  const left = [...readers].flatMap(([weight, node]) => {
    if (taken(weight)) return [];
    const layer = layers.get(weight);
    const name = layer ? layerName(layer) : weight.name;
    const reason = layer ? "it was chosen to stay in float" : reasonOf(node, method);
    return [{ name, operator: node.opType, weights: elementCount(weight.dims), reason }];
  });
  const all = total([...readers.keys()].map(({ dims }) => elementCount(dims)));
  const covered = all === 0 ? 1 : 1 - total(left.map(({ weights }) => weights)) / all;
  return { covered, left: left.toSorted((a, b) => b.weights - a.weights) };
}

const total = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0);

/** Inputs of a node that may be weights: a recurrent layer's other ones are biases and states. */
function weightInputs(node: Node): string[] {
  return isRecurrent(node) ? node.input.slice(1, 3) : node.input;
}

function reasonOf(node: Node, method: Settings["method"]): string {
  if (method === "float16") return "a cast would take as many bytes as it saves";
  if (node.opType === "Gather") return "it is a table that is looked up, not multiplied";
  if (!isRecurrent(node)) return "only convolutions and products with constants are quantized";
  if (method === "weights") return "it runs in two directions";
  return `ONNX Runtime computes it in float; method weights makes its part of the file smaller`;
}
