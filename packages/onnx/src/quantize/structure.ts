import { AppError } from "@whittle/contracts";
import type { Node, OnnxModel, Tensor } from "../proto/model.ts";
import { intAttribute } from "../proto/node.ts";
import { DataType, elementCount } from "../proto/tensor.ts";

/** Of TensorProto.DataType, beside those that are read here. */
const [BOOL, DOUBLE] = [9, 11] as const;

const elementBytes: Record<number, number> = {
  [BOOL]: 1,
  [DOUBLE]: 8,
  [DataType.FLOAT]: 4,
  [DataType.UINT8]: 1,
  [DataType.INT8]: 1,
  [DataType.INT32]: 4,
  [DataType.INT64]: 8,
  [DataType.FLOAT16]: 2,
};

/** The least opset that has each operator that quantization adds, in the form in which it is used. */
const sinceOpset: Record<string, number> = {
  QuantizeLinear: 13,
  DequantizeLinear: 13,
  DynamicQuantizeLinear: 11,
  MatMulInteger: 10,
  BitShift: 11,
  BitwiseAnd: 18,
  ReduceSum: 13,
};

/** Operators that are only defined for floats here: an integer that reaches one was not dequantized. */
const floatOnly = new Set(["Conv", "Gemm", "MatMul", "Relu", "MatMulNBits"]);

/** Operators that give whole numbers, and those that give yes or no, whatever they read. */
const counting = new Set(["Shape", "Size", "NonZero", "ArgMax", "ArgMin"]);
const judging = new Set(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN"]);

/**
 * Checks what a model's file must hold to be ONNX: every tensor written once and before it is read, every constant of the size that its
 * shape and type say, every operator in an opset that the model imports, and integers and floats where each belongs.
 * @throws AppError `internal` naming the node or the tensor; `unsupported` when the model is of too old an opset.
 */
export function checkStructure(model: OnnxModel): void {
  const { graph } = model;
  const types = new Map<string, number>();
  const write = (name: string, type: number) => {
    // An output that is left out has no name.
    if (name !== "" && types.has(name)) fail(`${name} is written twice`);
    types.set(name, type);
  };
  for (const { name, type } of graph.input) write(name, type?.tensorType?.elemType ?? DataType.FLOAT);
  for (const constant of graph.initializer) {
    checkSize(constant);
    write(constant.name, constant.dataType);
  }
  for (const node of graph.node) {
    checkOpset(node, model);
    const inputs = node.input.map((name) => (name === "" ? undefined : (types.get(name) ?? fail(unread(node, name)))));
    checkTypes(node, inputs);
    outputTypes(node, inputs).forEach((type, at) => write(node.output[at] ?? "", type));
  }
  for (const { name, type } of graph.output) {
    if (types.get(name) !== type?.tensorType?.elemType) fail(`output ${name} is not written as it is declared`);
  }
}

function fail(message: string): never {
  throw new AppError("internal", `The rewritten model is not valid ONNX: ${message}.`);
}

const unread = (node: Node, input: string) => `${label(node)} reads ${input}, which is not written before it`;

const label = ({ opType, output }: Node) => `${opType} ${output[0]}`;

function checkSize({ name, dims, dataType, rawData }: Tensor): void {
  const size = elementBytes[dataType];
  const bytes = elementCount(dims) * (size ?? 0);
  if (size !== undefined && rawData && rawData.byteLength > 0 && rawData.byteLength !== bytes) {
    fail(`${name} has ${rawData.byteLength} bytes, its shape and type say ${bytes}`);
  }
}

function checkOpset(node: Node, { opsetImport }: OnnxModel): void {
  const { opType, domain = "" } = node;
  const imported = opsetImport.find((each) => (each.domain ?? "") === domain)?.version ?? 0;
  const needed = domain === "" ? (sinceOpset[opType] ?? 1) : 1;
  if (imported >= needed) return;
  if (domain !== "") fail(`${label(node)} needs version ${needed} of "${domain}", the model imports ${imported}`);
  // Weights of fewer than 8 bits are unpacked by what opset 18 brought; a model from elsewhere may be older.
  throw new AppError(
    "unsupported",
    `${label(node)} needs opset ${needed}, but the model is of opset ${imported}: use 8 bits, or export the model with opset ${needed}.`,
  );
}

function checkTypes(node: Node, inputs: readonly (number | undefined)[]): void {
  const { opType } = node;
  const [value, scale, zero] = inputs;
  const isFloat = (type: number | undefined) => type === undefined || type === DataType.FLOAT;
  if (opType === "DequantizeLinear") {
    if (isFloat(value) || !isFloat(scale)) fail(`${label(node)} must dequantize integers with a float scale`);
    if (zero !== undefined && zero !== value) fail(`${label(node)} has a zero point of another type than its values`);
  }
  const weights = opType === "MatMulNBits" ? undefined : inputs[1];
  if (floatOnly.has(opType) && ![value, weights].every(isFloat)) fail(`${label(node)} reads integers`);
}

function outputTypes(node: Node, inputs: readonly (number | undefined)[]): number[] {
  const [first = DataType.FLOAT, second, third] = inputs;
  switch (node.opType) {
    case "Cast":
      return [intAttribute(node, "to", DataType.FLOAT)];
    case "QuantizeLinear":
      return [third ?? DataType.UINT8];
    case "DequantizeLinear":
      return [second ?? DataType.FLOAT];
    case "DynamicQuantizeLinear":
      return [DataType.UINT8, DataType.FLOAT, DataType.UINT8];
    case "MatMulInteger":
      return [DataType.INT32];
    case "Where":
      return [second ?? DataType.FLOAT];
    default:
      if (counting.has(node.opType)) return [DataType.INT64];
      if (judging.has(node.opType)) return [BOOL];
      return node.output.map(() => first);
  }
}
