import { AppError } from "@whittle/contracts";
import type { Tensor } from "./model.ts";

/** TensorProto.DataType: the element types that occur in Whittle's models. */
export const DataType = { FLOAT: 1, UINT8: 2, INT8: 3, INT32: 6, INT64: 7, FLOAT16: 10 } as const;

/** Float16 elements are given by their bits. */
export type TensorData = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array | Uint16Array;

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

function typeOf(data: TensorData): number {
  if (data instanceof Float32Array) return DataType.FLOAT;
  if (data instanceof Uint8Array) return DataType.UINT8;
  if (data instanceof Int8Array) return DataType.INT8;
  if (data instanceof Uint16Array) return DataType.FLOAT16;
  return data instanceof Int32Array ? DataType.INT32 : DataType.INT64;
}

/** A TensorProto of row-major `data`; `dims` [] is a scalar. */
export function tensor(name: string, dims: readonly number[], data: TensorData): Tensor {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dims: [...dims], dataType: typeOf(data), rawData };
}

/**
 * The elements of a TensorProto, from whichever of its fields holds them; raw data is little-endian, as are the machines Whittle runs on.
 * @throws AppError `unsupported` for an element type outside {@link DataType}.
 */
export function tensorData(value: Tensor): TensorData {
  // A copy, because a typed array must be aligned to its element size and a slice of the file need not be.
  const raw = value.rawData && value.rawData.byteLength > 0 ? Uint8Array.from(value.rawData).buffer : undefined;
  switch (value.dataType) {
    case DataType.FLOAT:
      return raw ? new Float32Array(raw) : Float32Array.from(value.floatData ?? []);
    case DataType.UINT8:
      return raw ? new Uint8Array(raw) : Uint8Array.from(value.int32Data ?? []);
    case DataType.INT8:
      return raw ? new Int8Array(raw) : Int8Array.from(value.int32Data ?? []);
    case DataType.INT32:
      return raw ? new Int32Array(raw) : Int32Array.from(value.int32Data ?? []);
    case DataType.INT64:
      return raw ? new BigInt64Array(raw) : BigInt64Array.from((value.int64Data ?? []).map(BigInt));
    case DataType.FLOAT16:
      return raw ? new Uint16Array(raw) : Uint16Array.from(value.int32Data ?? []);
    default:
      throw new AppError("unsupported", `Tensor ${value.name} has element type ${value.dataType}, which is not read.`);
  }
}

/** The elements of a float tensor. @throws AppError `unsupported` when it is not one. */
export function floatData(value: Tensor): Float32Array {
  const data = tensorData(value);
  if (data instanceof Float32Array) return data;
  throw new AppError("unsupported", `Tensor ${value.name} must be float32; its element type is ${value.dataType}.`);
}
