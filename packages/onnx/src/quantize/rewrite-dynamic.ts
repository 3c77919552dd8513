import type { OnnxModel } from "../proto/model.ts";
import { node, shapeOf, valueInfo } from "../proto/node.ts";
import { DataType } from "../proto/tensor.ts";
import { GraphEditor } from "./graph-editor.ts";
import type { QuantizedLayer } from "./plan.ts";
import { emitIntegers, type PreparedLayer } from "./prepared.ts";

/**
 * Rewrites dense layers to quantize what they read while they run: DynamicQuantizeLinear, MatMulInteger, and the product of both scales,
 * the form that ONNX Runtime runs as one DynamicQuantizeMatMul.
 */
export function rewriteDynamic(model: OnnxModel, layers: readonly PreparedLayer[]): OnnxModel {
  const { graph } = model;
  const editor = new GraphEditor();
  const prepared = new Map(layers.map((each) => [each.layer.node, each]));
  const shapes = new Map([...graph.valueInfo, ...graph.output].map((info) => [info.name, shapeOf(info)]));
  for (const each of graph.node) {
    const layer = prepared.get(each);
    if (layer) emitDynamic(editor, layer, shapes.get(each.output[0] ?? "") ?? []);
    else editor.nodes.push(each);
  }
  return editor.build(model);
}

function quantizedInput(editor: GraphEditor, name: string): string[] {
  const outputs = ["q", "scale", "zero"].map((part) => `${name}/${part}`);
  if (!editor.has(`${name}/q`)) editor.nodes.push(node("DynamicQuantizeLinear", [name], outputs));
  return outputs;
}

function emitDynamic(editor: GraphEditor, prepared: PreparedLayer, shape: readonly number[]): void {
  const { layer, weights, bias } = prepared;
  const { name } = layer.weight;
  const [input = "", output = ""] = [layer.node.input[0], layer.node.output[0]];
  const [x = "", scale = "", zero = ""] = quantizedInput(editor, input);
  const dims = weights.scales.length === 1 ? [] : [weights.scales.length];
  const weightScale = editor.constant(`${name}/scale`, dims, weights.scales);
  const weightZero = editor.constant(`${name}/zero`, dims, weights.zeroPoints);
  const integers = emitIntegers(editor, inputsFirst(prepared), "int8");
  const product = `${output}/integers`;
  editor.emit("MatMulInteger", [x, integers, zero, weightZero], product);
  editor.declare(valueInfo(product, DataType.INT32, shape));
  const float = editor.emit("Cast", [product], `${output}/floats`, { to: DataType.FLOAT });
  const both = editor.emit("Mul", [scale, weightScale], `${output}/scales`);
  const scaled = editor.emit("Mul", [float, both], bias ? `${output}/product` : output);
  if (bias) editor.emit("Add", [scaled, editor.constant(`${output}/bias`, [bias.length], bias)], output);
}

/** MatMulInteger takes weights as [inputs, outputs]; a Gemm may have them the other way. */
function inputsFirst(prepared: PreparedLayer): PreparedLayer {
  const { layer, weights } = prepared;
  if (layer.layout.axis === "last") return prepared;
  const [outputs = 0, inputs = 0] = layer.weight.dims;
  const turn = (at: number) => (at % outputs) * inputs + Math.floor(at / outputs);
  const values = weights.values.map((_value, at) => weights.values[turn(at)] ?? 0);
  const weight = { ...layer.weight, dims: [inputs, outputs] };
  return { ...prepared, layer: { ...layer, weight }, weights: { ...weights, values } };
}

/** What keeps a graph from being quantized dynamically: ConvInteger is many times slower than a float Conv. */
export function convolutionOf(layers: readonly QuantizedLayer[]): QuantizedLayer | undefined {
  return layers.find(({ node: { opType } }) => opType === "Conv");
}
