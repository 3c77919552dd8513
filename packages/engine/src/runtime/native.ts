import { createRequire } from "node:module";
import util from "node:util";
import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import { ownMemory } from "./own-memory.ts";

const require = createRequire(import.meta.url);

/** What an op or a graph run gives back for each output: a handle that must be deleted, and what lies behind it. */
export interface TensorMetadata {
  id: number;
  shape: number[];
  /** TensorFlow's DataType number. */
  dtype: number;
}

/** An attribute as tfjs hands it to the native library: `type` is a TF_ATTR_* number. */
export interface OpAttr {
  name: string;
  type: number;
  value: unknown;
}

/** The native functions of tfjs-node that Whittle uses directly. */
export interface NativeBinding {
  readonly TF_Version: string;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_UINT8: number;
  createTensor(shape: number[], dtype: number, buffer: ArrayLike<unknown>): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): tf.TypedArray | Uint8Array[];
  getNumOfTensors(): number;
  executeOp(op: string, attrs: OpAttr[], inputs: number[], outputs: number): TensorMetadata[];
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(session: number): void;
  /** `inputNames` and `outputNames` are comma-separated `node:output`. */
  runSavedModel(session: number, inputs: number[], inputNames: string, outputNames: string): TensorMetadata[];
}

/** What tfjs-node keeps about a tensor; `values` is set while the numbers have not yet been handed to TensorFlow. */
export interface NativeTensorData {
  shape: number[];
  dtype: number;
  id: number;
  values: ArrayLike<unknown> | null;
  refCount: number;
}

/** The backend object of tfjs-node, as far as Whittle reaches into it. */
export interface NativeBackend {
  binding: NativeBinding;
  isUsingGpuDevice: boolean;
  tensorMap: {
    has(dataId: object): boolean;
    get(dataId: object): NativeTensorData;
    set(dataId: object, data: NativeTensorData): void;
  };
  getDTypeInteger(dtype: tf.DataType): number;
  getInputTensorIds(tensors: tf.TensorInfo[]): number[];
  createOutputTensor(metadata: TensorMetadata): tf.Tensor;
  readSync(dataId: object): tf.backend_util.BackendValues;
}

/** Loads tfjs-node-gpu and makes it the backend. Throws what the loader throws. */
export function loadNative(): NativeBackend {
  // tfjs-node 4.22 calls a function that Node 23 removed.
  const legacy: { isNullOrUndefined?: (value: unknown) => boolean } = util;
  legacy.isNullOrUndefined ??= (value) => value == null;
  const loaded: unknown = require("@tensorflow/tfjs-node-gpu");
  const backend = nativeBackend();
  if (!backend)
    throw new AppError("unsupported", `tfjs-node-gpu did not become the backend (loaded: ${typeof loaded})`);
  ownMemory(backend);
  return backend;
}

/** The native backend, or undefined where another backend is in use. */
export function nativeBackend(): NativeBackend | undefined {
  const backend: unknown = tf.backend();
  return isNative(backend) ? backend : undefined;
}

function isNative(backend: unknown): backend is NativeBackend {
  return typeof backend === "object" && backend !== null && "binding" in backend && "isUsingGpuDevice" in backend;
}

/** The native library's binding, or undefined where another backend is in use. `getNumOfTensors()` finds leaks. */
export function nativeBinding(): NativeBinding | undefined {
  return nativeBackend()?.binding;
}
