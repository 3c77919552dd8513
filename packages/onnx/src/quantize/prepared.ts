import type { GraphEditor } from "./graph-editor.ts";
import { DataType } from "../proto/tensor.ts";
import { emitUnpack, packIntegers } from "./packed.ts";
import { isRecurrent, type QuantizedLayer } from "./plan.ts";
import type { QuantizedWeights } from "./weights.ts";

/** A layer with its weights in integers. */
export interface PreparedLayer {
  layer: QuantizedLayer;
  weights: QuantizedWeights;
  /** How many inputs share a scale, where it is not all of a channel's or all weights. */
  blockSize?: number | undefined;
  /** The bias, as it was or corrected. */
  bias?: Float32Array;
}

/** What a file holds, in bytes, to unpack the integers of one layer; packing that saves less makes it larger. */
const UNPACKING = 750;

function isPacked({ values, bits }: QuantizedWeights): boolean {
  return (values.length * (8 - bits)) / 8 > UNPACKING;
}

/** Whether a layer in blocks becomes a MatMulNBits. */
export function runsInBlocks({ layer: { node }, weights, blockSize }: PreparedLayer): boolean {
  return blockSize !== undefined && weights.bits === 4 && node.opType !== "Conv" && !isRecurrent(node);
}

/**
 * Bits that a weight takes in the file: those asked for, 2 for signs among which there are zeros, 8 where packing saves nothing. In blocks
 * there are a float32 scale for each besides and, in a MatMulNBits, what fills up the last of each channel.
 */
export function storedBits(prepared: PreparedLayer): number {
  const { weights, blockSize } = prepared;
  const { values, scales, bits } = weights;
  const signs = bits === 1 && values.includes(0) ? 2 : bits;
  const stored = isPacked(weights) ? signs : 8;
  if (blockSize === undefined) return stored;
  const integers = runsInBlocks(prepared) ? scales.length * blockSize * bits : values.length * stored;
  return (integers + 32 * scales.length) / values.length;
}

/** Adds a layer's integers to a graph, packed where that saves anything, and gives the name of an int8 or a float tensor of them. */
export function emitIntegers(editor: GraphEditor, { layer, weights }: PreparedLayer, as: "int8" | "float"): string {
  const { name, dims } = layer.weight;
  const integers = `${name}/q`;
  if (isPacked(weights)) {
    const unpacked = emitUnpack(editor, name, dims, packIntegers(weights.values, weights.bits));
    return as === "float" ? unpacked : editor.emit("Cast", [unpacked], integers, { to: DataType.INT8 });
  }
  editor.constant(integers, dims, weights.values);
  return as === "int8" ? integers : editor.emit("Cast", [integers], `${name}/floats`, { to: DataType.FLOAT });
}
