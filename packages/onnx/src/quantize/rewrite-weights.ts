import type { OnnxModel } from "../proto/model.ts";
import { DataType, elementCount, floatData } from "../proto/tensor.ts";
import { toFloat16 } from "./float16.ts";
import { GraphEditor } from "./graph-editor.ts";
import { emitIntegers, type PreparedLayer } from "./prepared.ts";
import { channelOf, inputOf } from "./weights.ts";

/** Tensors of fewer elements stay float32: a Cast would take as many bytes as it saves. */
const WORTH_CASTING = 64;
/** int8 products of blocks of activations, the fastest form of MatMulNBits. */
const INT8_PRODUCTS = 4;

/**
 * Keeps the weights in the file as integers and lets the graph multiply them with their scales, which ONNX Runtime does once, when it
 * loads the model. Dense layers of 4 bits in blocks become MatMulNBits, which works on the integers themselves.
 */
export function rewriteWeights(model: OnnxModel, layers: readonly PreparedLayer[], blockSize?: number): OnnxModel {
  const editor = new GraphEditor();
  const prepared = new Map(layers.map((each) => [each.layer.node, each]));
  for (const each of model.graph.node) {
    const layer = prepared.get(each);
    if (layer && blockSize !== undefined && runsInBlocks(layer)) emitBlocks(editor, layer, blockSize);
    else if (layer) {
      const [input = "", _weight, ...rest] = each.input;
      const bias = layer.bias && editor.constant(`${each.output[0]}/bias`, [layer.bias.length], layer.bias);
      editor.nodes.push({ ...each, input: [input, emitFloats(editor, layer, blockSize), ...(bias ? [bias] : rest)] });
    } else editor.nodes.push(each);
  }
  return editor.build(model);
}

/** Whether a layer in blocks becomes a MatMulNBits. */
export function runsInBlocks({ layer, weights }: PreparedLayer): boolean {
  return layer.node.opType !== "Conv" && weights.bits === 4;
}

function emitFloats(editor: GraphEditor, prepared: PreparedLayer, blockSize: number | undefined): string {
  const { layer, weights } = prepared;
  const { name, dims } = layer.weight;
  const integers = emitIntegers(editor, prepared, "float");
  const along = weights.scales.length === 1 ? [] : dims.map((size, axis) => (isChannelAxis(prepared, axis) ? size : 1));
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

function isChannelAxis({ layer }: PreparedLayer, axis: number): boolean {
  return axis === (layer.layout.axis === "first" ? 0 : layer.weight.dims.length - 1);
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
function emitBlocks(editor: GraphEditor, { layer, weights, bias }: PreparedLayer, blockSize: number): void {
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

/** Keeps every float32 constant of some size as float16; it is cast back when the model is loaded, so the speed is that of float32. */
export function rewriteFloat16(model: OnnxModel): OnnxModel {
  const editor = new GraphEditor();
  const { graph } = model;
  const cast = new Map<string, string>();
  for (const each of graph.initializer) {
    if (each.dataType !== DataType.FLOAT || elementCount(each.dims) < WORTH_CASTING) continue;
    const half = editor.constant(`${each.name}/half`, each.dims, toFloat16(floatData(each), each.name));
    cast.set(each.name, editor.emit("Cast", [half], `${each.name}/float`, { to: DataType.FLOAT }));
  }
  for (const each of graph.node) {
    editor.nodes.push({ ...each, input: each.input.map((name) => cast.get(name) ?? name) });
  }
  return editor.build(model);
}
