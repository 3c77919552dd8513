import type { Datatype } from "@whittle/contracts";
import ort from "onnxruntime-node";

export type TensorArray = Float32Array | Float64Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

/** A tensor as it goes into and comes out of a session: row-major. BOOL is one byte an element, INT64 a BigInt. */
export interface TensorValue {
  shape: readonly number[];
  datatype: Datatype;
  data: TensorArray;
}

/** Names of element types in ONNX Runtime and in the Open Inference Protocol, and the array that holds them. */
const types = [
  { runtime: "float32", datatype: "FP32", array: Float32Array },
  { runtime: "float64", datatype: "FP64", array: Float64Array },
  { runtime: "uint8", datatype: "UINT8", array: Uint8Array },
  { runtime: "int8", datatype: "INT8", array: Int8Array },
  { runtime: "int32", datatype: "INT32", array: Int32Array },
  { runtime: "int64", datatype: "INT64", array: BigInt64Array },
  { runtime: "bool", datatype: "BOOL", array: Uint8Array },
] as const;

export function datatypeOf(runtimeType: string): Datatype | undefined {
  return types.find(({ runtime }) => runtime === runtimeType)?.datatype;
}

/** Whether `data` is the kind of array that holds `datatype`. */
export function holds(datatype: Datatype, data: TensorArray): boolean {
  return types.some((type) => type.datatype === datatype && data instanceof type.array);
}

/** A runtime tensor over the same memory. */
export function toRuntime({ shape, datatype, data }: TensorValue): ort.Tensor {
  const runtime = types.find((type) => type.datatype === datatype)?.runtime ?? "float32";
  return new ort.Tensor(runtime, data, shape);
}

export function fromRuntime(tensor: ort.Tensor): TensorValue | undefined {
  const { type, data, dims } = tensor;
  const datatype = datatypeOf(type);
  if (datatype === undefined || !isTensorArray(data)) return undefined;
  return { shape: dims, datatype, data };
}

function isTensorArray(data: ort.Tensor["data"]): data is TensorArray {
  return types.some(({ array }) => data instanceof array);
}
