import type { GraphEditor } from "./graph-editor.ts";
import { DataType } from "../proto/tensor.ts";

/**
 * Integers of `bits` bits as bit planes: plane j holds bit j of every value, eight values to a byte, the first in the lowest bit. Any
 * number of bits from 1 to 8 so takes exactly that many bits a value, and a graph can unpack it with operators that ONNX Runtime folds
 * when it loads the model.
 */
export interface PackedIntegers {
  bits: number;
  /** [bits, ceil(count / 8)]. */
  planes: Uint8Array;
  /** How many values there are. */
  count: number;
  /** What a set bit of each plane adds to `offset`. */
  planeValues: number[];
  offset: number;
}

/** Two's complement: the highest plane counts negative. */
function twosComplement(bits: number): number[] {
  return Array.from({ length: bits }, (_none, plane) => (plane === bits - 1 ? -1 : 1) * 2 ** plane);
}

/**
 * Packs int8 values that fit into `bits` bits of two's complement. Signs (1 bit, -1 and 1) take one bit where no value is 0, else two.
 */
export function packIntegers(values: Int8Array, bits: number): PackedIntegers {
  const signs = bits === 1 && values.every((value) => value === 1 || value === -1);
  const used = bits === 1 && !signs ? 2 : bits;
  const bytes = Math.ceil(values.length / 8);
  const planes = new Uint8Array(used * bytes);
  for (const [at, value] of values.entries()) {
    const code = signs ? (value + 1) >> 1 : value;
    const byte = at >> 3;
    for (let plane = 0; plane < used; plane++) {
      const bit = (code >> plane) & 1;
      planes[plane * bytes + byte] = (planes[plane * bytes + byte] ?? 0) | (bit << (at & 7));
    }
  }
  const coding = signs ? { planeValues: [2], offset: -1 } : { planeValues: twosComplement(used), offset: 0 };
  return { bits: used, planes, count: values.length, ...coding };
}

/** The values again. */
export function unpackIntegers({ bits, planes, count, planeValues, offset }: PackedIntegers): Int8Array {
  const bytes = planes.length / bits;
  return Int8Array.from({ length: count }, (_none, at) => {
    let value = offset;
    for (let plane = 0; plane < bits; plane++) {
      const bit = ((planes[plane * bytes + (at >> 3)] ?? 0) >> (at & 7)) & 1;
      value += bit * (planeValues[plane] ?? 0);
    }
    return value;
  });
}

/** Adds packed integers to a graph and gives the name of the float tensor of shape `dims` that they are unpacked to. */
export function emitUnpack(editor: GraphEditor, name: string, dims: readonly number[], packed: PackedIntegers): string {
  const { bits, planes, count, planeValues, offset } = packed;
  const integers = (id: string, ...values: number[]) =>
    editor.constant(id, [values.length], BigInt64Array.from(values.map(BigInt)));
  const stored = editor.constant(`${name}/planes`, [bits, planes.length / bits, 1], planes);
  const places = editor.constant("unpack/places", [8], Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]));
  const one = editor.constant("unpack/one", [], Uint8Array.of(1));
  const weights = editor.constant(
    `unpack/values${planeValues.join("_")}`,
    [bits, 1, 1],
    Float32Array.from(planeValues),
  );
  let value = editor.emit("BitShift", [stored, places], `${name}/1`, { direction: { string: "RIGHT" } });
  value = editor.emit("BitwiseAnd", [value, one], `${name}/2`);
  value = editor.emit("Cast", [value], `${name}/3`, { to: DataType.FLOAT });
  value = editor.emit("Mul", [value, weights], `${name}/4`);
  value = editor.emit("ReduceSum", [value, integers("unpack/plane_axis", 0)], `${name}/5`, { keepdims: 0 });
  if (offset !== 0) {
    const added = editor.constant(`unpack/offset${offset}`, [], Float32Array.of(offset));
    value = editor.emit("Add", [value, added], `${name}/6`);
  }
  if (count % 8 !== 0) {
    value = editor.emit("Reshape", [value, integers("unpack/flat", -1)], `${name}/7`);
    value = editor.emit("Slice", [value, integers("unpack/start", 0), integers(`${name}/count`, count)], `${name}/8`);
  }
  return editor.emit("Reshape", [value, integers(`${name}/shape`, ...dims)], `${name}/9`);
}
