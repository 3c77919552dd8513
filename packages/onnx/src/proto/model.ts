import { AppError } from "@whittle/contracts";
import protobuf from "protobufjs";
import { schema } from "./schema.ts";

export interface Attribute {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: Tensor;
  floats?: number[];
  ints?: number[];
  strings?: Uint8Array[];
}

export interface Node {
  opType: string;
  name?: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute: Attribute[];
}

export interface Tensor {
  name: string;
  dims: number[];
  dataType: number;
  rawData?: Uint8Array;
  floatData?: number[];
  int32Data?: number[];
  int64Data?: number[];
  doubleData?: number[];
  /** 1: in a file beside the model. */
  dataLocation?: number;
}

export interface Dimension {
  dimValue?: number;
  dimParam?: string;
}

export interface ValueInfo {
  name: string;
  type?: { tensorType?: { elemType: number; shape?: { dim: Dimension[] } } };
}

export interface Graph {
  name: string;
  node: Node[];
  initializer: Tensor[];
  input: ValueInfo[];
  output: ValueInfo[];
  valueInfo: ValueInfo[];
  /** Constants in a form that is not read. */
  sparseInitializer?: unknown[];
}

/** An ONNX model (a ModelProto), with 64-bit integers as numbers. */
export interface OnnxModel {
  irVersion: number;
  producerName?: string;
  opsetImport: { domain?: string; version: number }[];
  graph: Graph;
  /** Operators of the model's own, whose bodies are not read. */
  functions?: unknown[];
}

const ModelProto = protobuf.parse(schema).root.lookupType("onnx.ModelProto");

/** The bytes of a model. Fields are written in the order of their numbers, so the same model always gives the same bytes. */
export function encodeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(ModelProto.encode(ModelProto.fromObject(model)).finish());
}

/**
 * Reads a model; fields that Whittle does not use are left out.
 * @throws AppError `corrupt` when the bytes are not an ONNX model.
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  try {
    const model = ModelProto.toObject(ModelProto.decode(bytes), { longs: Number, arrays: true }) as Partial<OnnxModel>;
    if (model.graph?.node) return { irVersion: 0, opsetImport: [], ...model, graph: model.graph };
  } catch (error) {
    throw new AppError("corrupt", "The file is not an ONNX model.", { cause: error });
  }
  throw new AppError("corrupt", "The file is not an ONNX model: it holds no graph.");
}
