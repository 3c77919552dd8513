import { AppError } from "@whittle/contracts";
import {
  messages,
  type AttrValue,
  type NodeDef,
  type SignatureDef,
  type TensorInfo,
  type TensorProto,
  type TensorShape,
} from "./messages.ts";
import type { Spec } from "./program.ts";

/** DataType numbers of TensorFlow (types.proto), those that tfjs makes tensors of. */
export const DataType = { float: 1, int32: 3, complex64: 8, bool: 10, bfloat16: 14 } as const;

export type TensorValues = Float32Array | Int32Array | Uint8Array;

/** GraphDef version: what it may assume of defaults and of ops' meaning. */
const producer = 1087;

/** Writes a node of the graph and gives its name. */
export type Put = (name: string, op: string, inputs: string[], attrs: Record<string, AttrValue>) => string;

/** Values of attributes by kind; each makes one. */
export const attr = {
  bool: (value: boolean) => build((made) => made.setB(value)),
  float: (value: number) => build((made) => made.setF(value)),
  int: (value: number) => build((made) => made.setI(Math.trunc(value))),
  string: (value: string) => build((made) => made.setS(Buffer.from(value))),
  type: (dtype: number) => build((made) => made.setType(dtype)),
  types: (dtypes: readonly number[]) =>
    build((made) => {
      const list = new (messages().AttrValue.ListValue)();
      list.setTypeList([...dtypes]);
      made.setList(list);
    }),
  shape: (shape: readonly number[]) => build((made) => made.setShape(shapeOf(shape))),
  tensor: (spec: Spec, values: TensorValues) => build((made) => made.setTensor(tensorOf(spec, values))),
};

/**
 * An attribute that tfjs gave, by the kind that the op's definition says.
 * @throws AppError `unsupported` for a kind that tfjs can't give.
 */
export function attrOf(kind: string, value: unknown, what: string): AttrValue {
  if (kind === "bool" && typeof value === "boolean") return attr.bool(value);
  if (kind === "float" && typeof value === "number") return attr.float(value);
  if (kind === "int" && typeof value === "number") return attr.int(value);
  if (kind === "type" && typeof value === "number") return attr.type(value);
  if (kind === "string" && typeof value === "string") return attr.string(value);
  if (kind === "shape" && Array.isArray(value)) return attr.shape(value.map(Number));
  if (kind.startsWith("list(") && Array.isArray(value)) return listOf(kind, value);
  throw new AppError("unsupported", `compile: attribute ${what} of kind ${kind} can't be ${JSON.stringify(value)}`);
}

function listOf(kind: string, values: unknown[]): AttrValue {
  const list = new (messages().AttrValue.ListValue)();
  if (kind === "list(int)") list.setIList(values.map(Number));
  else if (kind === "list(float)") list.setFList(values.map(Number));
  else if (kind === "list(bool)") list.setBList(values.map(Boolean));
  else throw new AppError("unsupported", `compile: attributes of kind ${kind} are not supported`);
  return build((made) => made.setList(list));
}

function build(fill: (value: AttrValue) => void): AttrValue {
  const value = new (messages().AttrValue)();
  fill(value);
  return value;
}

function shapeOf(dimensions: readonly number[]): TensorShape {
  const { TensorShape: Shape } = messages();
  const shape = new Shape();
  shape.setDimList(
    dimensions.map((size) => {
      const dimension = new Shape.Dim();
      dimension.setSize(size);
      return dimension;
    }),
  );
  return shape;
}

function tensorOf({ shape, dtype }: Spec, values: TensorValues): TensorProto {
  const tensor = new (messages().Tensor)();
  tensor.setDtype(dtype);
  tensor.setTensorShape(shapeOf(shape));
  const only = values.length > 1 ? splat(values) : undefined;
  if (only === undefined || dtype === DataType.complex64) {
    tensor.setTensorContent(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  } else if (dtype === DataType.float) tensor.setFloatValList([only]);
  else if (dtype === DataType.int32) tensor.setIntValList([only]);
  else tensor.setBoolValList([only !== 0]);
  return tensor;
}

/** The value that all elements have; undefined where they differ. */
function splat(values: TensorValues): number | undefined {
  const [first] = values;
  return values.every((value) => Object.is(value, first)) ? first : undefined;
}

/** A node of the graph. `inputs` are `name:output`. A name begins with a letter, never with `_`. */
export function node(name: string, op: string, inputs: string[], attrs: Record<string, AttrValue>): NodeDef {
  const made = new (messages().NodeDef)();
  made.setName(name);
  made.setOp(op);
  made.setInputList(inputs);
  const map = made.getAttrMap();
  for (const [key, value] of Object.entries(attrs)) map.set(key, value);
  return made;
}

/** A tensor that callers of a SavedModel know by a name: `tensor` is `node:output`, and -1 in the shape is any size. */
export interface NamedTensor extends Spec {
  name: string;
  tensor: string;
}

/** What a SavedModel says of itself beside its graph. */
export interface ServingInfo {
  inputs: NamedTensor[];
  outputs: NamedTensor[];
  tensorflowVersion: string;
}

/** The bytes of a SavedModel with one graph under the tag `serve`; `serving` becomes its signature `serving_default`. */
export function savedModel(nodes: NodeDef[], serving?: ServingInfo): Uint8Array {
  const types = messages();
  const versions = new types.VersionDef();
  versions.setProducer(producer);
  const graph = new types.GraphDef();
  graph.setNodeList(nodes);
  graph.setVersions(versions);
  const info = new types.MetaGraphDef.MetaInfoDef();
  info.setTagsList(["serve"]);
  const meta = new types.MetaGraphDef();
  meta.setMetaInfoDef(info);
  meta.setGraphDef(graph);
  if (serving) {
    info.setTensorflowVersion(serving.tensorflowVersion);
    meta.getSignatureDefMap().set("serving_default", signatureOf(serving));
  }
  const model = new types.SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.setMetaGraphsList([meta]);
  return model.serializeBinary();
}

function signatureOf({ inputs, outputs }: ServingInfo): SignatureDef {
  const signature = new (messages().SignatureDef)();
  signature.setMethodName("tensorflow/serving/predict");
  for (const input of inputs) signature.getInputsMap().set(input.name, tensorInfo(input));
  for (const output of outputs) signature.getOutputsMap().set(output.name, tensorInfo(output));
  return signature;
}

function tensorInfo({ tensor, dtype, shape }: NamedTensor): TensorInfo {
  const info = new (messages().TensorInfo)();
  info.setName(tensor);
  info.setDtype(dtype);
  info.setTensorShape(shapeOf(shape));
  return info;
}
