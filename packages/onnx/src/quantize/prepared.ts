import type { GraphEditor } from "./graph-editor.ts";
import { DataType } from "../proto/tensor.ts";
import { emitUnpack, packIntegers } from "./packed.ts";
import type { QuantizedLayer } from "./plan.ts";
import type { QuantizedWeights } from "./weights.ts";

/** A layer with its weights in integers. */
export interface PreparedLayer {
  layer: QuantizedLayer;
  weights: QuantizedWeights;
  /** The bias, as it was or corrected. */
  bias?: Float32Array;
}

/** Bits that a weight takes in the file: those asked for, or 2 for signs among which there are zeros. */
export function storedBits({ values, bits }: QuantizedWeights): number {
  return packIntegers(values.subarray(0, 0), bits).bits === 1 && values.includes(0) ? 2 : bits;
}

/** Adds a layer's integers to a graph, packed where they have fewer than 8 bits, and gives the name of an int8 or a float tensor of them. */
export function emitIntegers(editor: GraphEditor, { layer, weights }: PreparedLayer, as: "int8" | "float"): string {
  const { name, dims } = layer.weight;
  const integers = `${name}/q`;
  if (weights.bits < 8) {
    const unpacked = emitUnpack(editor, name, dims, packIntegers(weights.values, weights.bits));
    return as === "float" ? unpacked : editor.emit("Cast", [unpacked], integers, { to: DataType.INT8 });
  }
  editor.constant(integers, dims, weights.values);
  return as === "int8" ? integers : editor.emit("Cast", [integers], `${name}/floats`, { to: DataType.FLOAT });
}
