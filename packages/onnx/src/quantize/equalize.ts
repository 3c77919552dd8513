import { indexGraph, type GraphIndex } from "../graph-index.ts";
import type { Graph, Node, OnnxModel } from "../proto/model.ts";
import { intAttribute } from "../proto/node.ts";
import { floatData, tensor } from "../proto/tensor.ts";
import { quantizableLayers, type QuantizedLayer } from "./plan.ts";
import { channelOf, inputOf } from "./weights.ts";

/** Operators f with f(s x) = s f(x) for s > 0, channel by channel, that keep the channels' order. */
const homogeneous = new Set(["Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten"]);
const ROUNDS = 20;

/** Two layers of which the second alone reads what the first gives. */
interface Pair {
  first: QuantizedLayer;
  second: QuantizedLayer;
}

function onlyReader(index: GraphIndex, outputs: ReadonlySet<string>, node: Node): Node | undefined {
  const [output = ""] = node.output;
  const readers = index.readers(output);
  return readers.length === 1 && !outputs.has(output) ? readers[0] : undefined;
}

function findPairs(graph: Graph): Pair[] {
  const index = indexGraph(graph);
  const outputs = new Set(graph.output.map(({ name }) => name));
  const alone = ({ weight, bias }: QuantizedLayer) =>
    [weight, ...(bias ? [bias] : [])].every(({ name }) => index.readers(name).length === 1);
  const layers = new Map(quantizableLayers(graph).map((layer) => [layer.node, layer]));
  return [...layers.values()].flatMap((first) => {
    let node = onlyReader(index, outputs, first.node);
    while (node && homogeneous.has(node.opType)) node = onlyReader(index, outputs, node);
    const second = node && layers.get(node);
    const follows = second && alone(first) && alone(second) && inputChannel(first, second);
    return follows && first.node.opType !== "MatMul" ? [{ first, second }] : [];
  });
}

/** For an element of the second layer's weights, the first layer's channel that it is multiplied with. */
function inputChannel({ layout }: QuantizedLayer, second: QuantizedLayer): ((at: number) => number) | undefined {
  const { weight, node } = second;
  const length = weight.dims.reduce((product, size) => product * size, 1);
  const groups = node.opType === "Conv" ? intAttribute(node, "group", 1) : 1;
  const inputs = length / second.layout.channels;
  if (groups === layout.channels && groups > 1) {
    const perGroup = second.layout.channels / groups;
    return (at) => Math.floor(channelOf(at, length, second.layout) / perGroup);
  }
  if (groups !== 1 || inputs % layout.channels !== 0) return undefined;
  return (at) => Math.floor(inputOf(at, length, second.layout) / (inputs / layout.channels));
}

function largest(values: Float32Array, channels: number, place: (at: number) => number): Float64Array {
  const found = new Float64Array(channels);
  for (const [at, value] of values.entries()) {
    const channel = place(at);
    found[channel] = Math.max(found[channel] ?? 0, Math.abs(value));
  }
  return found;
}

/**
 * Makes the ranges of the weights of neighbouring layers alike, channel by channel, without changing what the model computes (Nagel et
 * al., "Data-free quantization", 1906.04721, section 4.1): with r1 and r2 the largest magnitudes of a channel's weights in the first
 * and the second layer, s = sqrt(r1 r2) / r2, W1 and b1 are divided by s and W2 multiplied with it. Layers may have a ReLU, pools or a
 * Flatten between them.
 */
export function equalizeLayers(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const pairs = findPairs(graph);
  const values = new Map<string, Float32Array>();
  for (const { first, second } of pairs) {
    for (const each of [first.weight, first.bias, second.weight]) if (each) values.set(each.name, floatData(each));
  }
  const weightsOf = ({ weight }: QuantizedLayer) => values.get(weight.name) ?? new Float32Array();
  for (let round = 0; round < ROUNDS; round++) {
    let change = 0;
    for (const { first, second } of pairs) {
      const [w1, w2] = [weightsOf(first), weightsOf(second)];
      const { channels } = first.layout;
      const outputOf = (at: number) => channelOf(at, w1.length, first.layout);
      const readBy = inputChannel(first, second) ?? (() => 0);
      const [r1, r2] = [largest(w1, channels, outputOf), largest(w2, channels, readBy)];
      const scales = r1.map((r, c) => (r > 0 && (r2[c] ?? 0) > 0 ? Math.sqrt(r * (r2[c] ?? 0)) / (r2[c] ?? 0) : 1));
      for (const scale of scales) change = Math.max(change, Math.abs(scale - 1));
      values.set(
        first.weight.name,
        w1.map((value, at) => value / (scales[outputOf(at)] ?? 1)),
      );
      values.set(
        second.weight.name,
        w2.map((value, at) => value * (scales[readBy(at)] ?? 1)),
      );
      const bias = values.get(first.bias?.name ?? "");
      if (first.bias && bias)
        values.set(
          first.bias.name,
          bias.map((value, c) => value / (scales[c] ?? 1)),
        );
    }
    if (change < 1e-4) break;
  }
  const initializer = graph.initializer.map((each) => {
    const changed = values.get(each.name);
    return changed ? tensor(each.name, each.dims, changed) : each;
  });
  return { ...model, graph: { ...graph, initializer } };
}
