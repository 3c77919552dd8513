import { AppError } from "@whittle/contracts";
import { decodeModel, type Graph, type Node, type OnnxModel, type Tensor, type ValueInfo } from "../proto/model.ts";
import { intAttribute } from "../proto/node.ts";
import { DataType, elementCount } from "../proto/tensor.ts";

/** The least opset that has the quantized operators with one scale for each channel. */
const LEAST_OPSET = 13;
/** AttributeProto.AttributeType: numbers, strings, tensors and lists of numbers and strings. */
const plainAttributes = new Set([0, 1, 2, 3, 4, 6, 7, 8]);
const elementTypes: Record<number, string> = {
  [DataType.INT32]: "int32",
  [DataType.INT64]: "int64",
  [DataType.UINT8]: "uint8",
  [DataType.INT8]: "int8",
  [DataType.FLOAT16]: "float16",
  9: "bool",
  11: "float64",
  16: "bfloat16",
};

export function refuseModel(message: string): never {
  throw new AppError("unsupported", message);
}

/**
 * Reads a classifier that another tool exported: one float input, one float output, operators of the ONNX standard. Initializers are not
 * among the inputs of the graph any more and `ai.onnx` is written as the empty domain.
 * @throws AppError `unsupported` or `corrupt` saying what was found and how to export the model so that it is taken.
 */
export function readClassifier(bytes: Uint8Array): OnnxModel {
  refuseOtherFormats(bytes);
  const model = standardDomain(decodeModel(bytes));
  const { graph, functions = [] } = model;
  const initializers = new Set(graph.initializer.map(({ name }) => name));
  const input = graph.input.filter(({ name }) => !initializers.has(name));
  if (functions.length > 0) refuseModel("The model brings operators of its own (functions); export it without them.");
  checkOpset(model);
  checkOnly(input, "input");
  checkOnly(graph.output, "output");
  checkConstants(graph);
  for (const each of graph.node) checkNode(each);
  return { ...model, graph: { ...graph, input } };
}

const formats: [start: readonly number[], what: string, how: string][] = [
  [[0x50, 0x4b], "a ZIP archive, as PyTorch (.pt) and Keras (.keras) write", "torch.onnx.export or tf2onnx"],
  [[0x89, 0x48, 0x44, 0x46], "an HDF5 file, as Keras writes (.h5)", "tf2onnx"],
];

function refuseOtherFormats(bytes: Uint8Array): void {
  for (const [start, what, how] of formats) {
    if (start.every((byte, at) => bytes[at] === byte))
      refuseModel(`The file is not an ONNX model but ${what}: export the model as ONNX with ${how}.`);
  }
}

function standardDomain(model: OnnxModel): OnnxModel {
  const plain = <T extends { domain?: string }>(each: T): T =>
    each.domain === "ai.onnx" ? { ...each, domain: "" } : each;
  const opsetImport = model.opsetImport.map(plain).filter(({ domain = "" }) => domain === "");
  return { ...model, opsetImport, graph: { ...model.graph, node: model.graph.node.map(plain) } };
}

/** The version of the standard operators that a model uses. */
export function opsetOf({ opsetImport }: OnnxModel): number {
  return opsetImport.find(({ domain = "" }) => domain === "")?.version ?? 0;
}

function checkOpset(model: OnnxModel): void {
  const version = opsetOf(model);
  if (version >= LEAST_OPSET) return;
  refuseModel(`The model is of opset ${version}: export it with opset 13 or newer (opset_version=18).`);
}

function checkOnly(values: readonly ValueInfo[], what: "input" | "output"): void {
  const names = values.map(({ name }) => name).join(", ");
  const [only] = values;
  if (!only || values.length > 1)
    refuseModel(`The model has ${values.length} ${what}s (${names}): it must have one ${what}.`);
  const type = only.type?.tensorType?.elemType;
  if (type === DataType.FLOAT) return;
  const found = type === undefined ? "not a tensor" : (elementTypes[type] ?? `of element type ${type}`);
  const right =
    what === "input"
      ? "it must be float32 (model.float(), or a cast inside the model)"
      : "it must be float32 scores of the classes, [n, classes], and not the class that was chosen";
  refuseModel(`The model's ${what} ${only.name} is ${found}: ${right}.`);
}

function checkConstants({ initializer, sparseInitializer = [] }: Graph): void {
  if (sparseInitializer.length > 0) refuseModel("The model holds sparse tensors: export it with dense weights.");
  for (const each of initializer) checkData(each);
}

/** What would be lost when the model is written again, and what ONNX Runtime would look for in this machine's files. */
function checkData({ name, dims, dataType, dataLocation, ...data }: Tensor): void {
  if (dataLocation === 1)
    refuseModel(`The weights (${name}) are in a file beside the model: export it as one file (external_data=False).`);
  const held = [data.rawData, data.floatData, data.int32Data, data.int64Data, data.doubleData];
  if (elementCount(dims) === 0 || held.some((each) => each && each.length > 0)) return;
  const type = elementTypes[dataType] ?? `type ${dataType}`;
  refuseModel(`The constant ${name} holds elements of ${type} in a form that is not read.`);
}

/** Operators that only quantized models have; of their layers it could not be told here what is left in float. */
const quantized = /^(?:(?:Dynamic)?QuantizeLinear|DequantizeLinear|QLinear\w+|(?:MatMul|Conv)Integer)$/;

function checkNode(node: Node): void {
  const { opType, domain = "", name = "", attribute } = node;
  const label = `The operator ${opType}${name === "" ? "" : ` (${name})`}`;
  if (domain !== "")
    refuseModel(`${label} is of ${domain}: only operators of the ONNX standard (domain ai.onnx) are taken.`);
  if (quantized.test(opType))
    refuseModel(
      `${label}: the model is quantized already. Import it as it was before, in float32, and quantize it here.`,
    );
  const odd = attribute.find(({ type }) => !plainAttributes.has(type));
  if (odd)
    refuseModel(`${label} has a graph or a sparse tensor inside it (${odd.name}): export a model without If and Loop.`);
  for (const { t } of attribute) if (t) checkData(t);
  if (opType === "BatchNormalization" && intAttribute(node, "training_mode", 0) === 1)
    refuseModel(`${label} is in training mode: export the model for inference (model.eval()).`);
}
