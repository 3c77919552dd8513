import { encodeModel, type Node, type OnnxModel, type Tensor } from "../proto/model.ts";
import { DataType, elementCount, floatData } from "../proto/tensor.ts";
import { toFloat16 } from "./float16.ts";
import { GraphEditor } from "./graph-editor.ts";
import { channelAxis } from "./plan.ts";
import { emitIntegers, runsInBlocks, type PreparedLayer } from "./prepared.ts";
import { channelOf, inputOf } from "./weights.ts";

/** Tensors of fewer elements stay float32: a Cast would take as many bytes as it saves. */
const WORTH_CASTING = 64;
/** int8 products of blocks of activations, the fastest form of MatMulNBits. */
const INT8_PRODUCTS = 4;

/**
 * Keeps the weights in the file as integers and lets the graph multiply them with their scales, which ONNX Runtime does once, when it
 * loads the model. Dense layers of 4 bits in blocks become MatMulNBits, which works on the integers themselves.
 */
export function rewriteWeights(model: OnnxModel, layers: readonly PreparedLayer[]): OnnxModel {
  const editor = new GraphEditor();
  for (const node of model.graph.node) {
    emitNode(
      editor,
      node,
      layers.filter(({ layer }) => layer.node === node),
    );
  }
  return editor.build(model);
}

/** What a layer takes in the file: its integers, their scales and the nodes that work on them. */
export function fileBytes(prepared: PreparedLayer): number {
  const editor = new GraphEditor();
  emitNode(editor, prepared.layer.node, [prepared]);
  const graph = { name: "", node: [], initializer: [], input: [], output: [], valueInfo: [] };
  return encodeModel(editor.build({ irVersion: 10, opsetImport: [], graph })).byteLength;
}

/** @param weights those of the node's weights that are in integers */
function emitNode(editor: GraphEditor, node: Node, weights: readonly PreparedLayer[]): void {
  const [only] = weights;
  if (only && runsInBlocks(only)) return emitBlocks(editor, only);
  const input = [...node.input];
  for (const prepared of weights) {
    const { bias, layer } = prepared;
    input[layer.input] = emitFloats(editor, prepared);
    if (bias) input[2] = editor.constant(`${node.output[0]}/bias`, [bias.length], bias);
  }
  editor.nodes.push({ ...node, input });
}

function emitFloats(editor: GraphEditor, prepared: PreparedLayer): string {
  const { layer, weights, blockSize } = prepared;
  const { name, dims } = layer.weight;
  const integers = emitIntegers(editor, prepared, "float");
  const channels = channelAxis(layer);
  const along = weights.scales.length === 1 ? [] : dims.map((size, axis) => (axis === channels ? size : 1));
  let value = integers;
  if (weights.zeroPoints.some((zero) => zero !== 0)) {
    const zero = editor.constant(`${name}/zero`, along, Float32Array.from(weights.zeroPoints));
    value = editor.emit("Sub", [value, zero], `${name}/centred`);
  }
  const scale =
    blockSize === undefined
      ? editor.constant(`${name}/scale`, along, weights.scales)
      : emitBlockScales(editor, prepared, blockSize);
  return editor.emit("Mul", [value, scale], `${name}/dq`);
}

/** The scales of blocks, repeated for each of their weights, in the shape of the kernel. */
function emitBlockScales(editor: GraphEditor, { layer, weights }: PreparedLayer, blockSize: number): string {
  const { name, dims } = layer.weight;
  const { channels, axis } = layer.layout;
  const inputs = elementCount(dims) / channels;
  const blocks = Math.ceil(inputs / blockSize);
  const shape = (id: string, sizes: number[]) =>
    editor.constant(`${name}/${id}`, [sizes.length], BigInt64Array.from(sizes.map(BigInt)));
  const first = axis === "first";
  const scales = editor.constant(
    `${name}/scale`,
    first ? [channels, blocks, 1] : [blocks, 1, channels],
    weights.scales,
  );
  const wide = shape("wide", first ? [channels, blocks, blockSize] : [blocks, blockSize, channels]);
  const flat = shape("flat_scales", first ? [channels, blocks * blockSize] : [blocks * blockSize, channels]);
  let value = editor.emit("Expand", [scales, wide], `${name}/repeated`);
  value = editor.emit("Reshape", [value, flat], `${name}/matrix`);
  const cut = [shape("from", [0]), shape("inputs", [inputs]), shape("axis", [first ? 1 : 0])];
  value = editor.emit("Slice", [value, ...cut], `${name}/kept`);
  return editor.emit("Reshape", [value, shape("dims", [...dims])], `${name}/scales`);
}

/** com.microsoft.MatMulNBits: for each output its inputs in blocks, two weights to a byte, the first in the lower half, 8 for zero. */
function emitBlocks(editor: GraphEditor, { layer, weights, bias, blockSize = 0 }: PreparedLayer): void {
  const { node, weight, layout } = layer;
  const { channels, axis } = layout;
  const inputs = elementCount(weight.dims) / channels;
  const blocks = Math.ceil(inputs / blockSize);
  const bytes = new Uint8Array((channels * blocks * blockSize) / 2).fill(0x88);
  for (const [at, value] of weights.values.entries()) {
    const { length } = weights.values;
    const place = channelOf(at, length, layout) * blocks * blockSize + inputOf(at, length, layout);
    const shift = (place % 2) * 4;
    bytes[place >> 1] = ((bytes[place >> 1] ?? 0) & (0xf0 >> shift)) | ((value + 8) << shift);
  }
  const scales = Float32Array.from({ length: channels * blocks }, (_none, at) => {
    const [channel, block] = [Math.floor(at / blocks), at % blocks];
    return weights.scales[axis === "first" ? at : block * channels + channel] ?? 0;
  });
  const constants = [
    editor.constant(`${weight.name}/q`, [channels, blocks, blockSize / 2], bytes),
    editor.constant(`${weight.name}/scale`, [channels * blocks], scales),
  ];
  const [input = "", output = ""] = [node.input[0], node.output[0]];
  const added = bias ? ["", "", editor.constant(`${output}/bias`, [bias.length], bias)] : [];
  editor.emitContributed("MatMulNBits", [input, ...constants, ...added], output, {
    K: inputs,
    N: channels,
    bits: 4,
    block_size: blockSize,
    accuracy_level: INT8_PRODUCTS,
  });
}

/** Whether a constant is kept as float16. */
export function isHalved({ dataType, dims }: Tensor): boolean {
  return dataType === DataType.FLOAT && elementCount(dims) >= WORTH_CASTING;
}

/** Keeps every float32 constant of some size as float16; it is cast back when the model is loaded, so the speed is that of float32. */
export function rewriteFloat16(model: OnnxModel): OnnxModel {
  const editor = new GraphEditor();
  const { graph } = model;
  const cast = new Map<string, string>();
  for (const each of graph.initializer.filter(isHalved)) {
    const half = editor.constant(`${each.name}/half`, each.dims, toFloat16(floatData(each), each.name));
    cast.set(each.name, editor.emit("Cast", [half], `${each.name}/float`, { to: DataType.FLOAT }));
  }
  for (const each of graph.node) {
    editor.nodes.push({ ...each, input: each.input.map((name) => cast.get(name) ?? name) });
  }
  return editor.build(model);
}
