import { createRequire } from "node:module";

/** The protobuf classes that come with tfjs-node, as far as they are used here: GraphDef and what is around it. */
interface Messages {
  AttrValue: (new () => AttrValue) & { ListValue: new () => ListValue };
  GraphDef: new () => GraphDef;
  MetaGraphDef: (new () => MetaGraphDef) & { MetaInfoDef: new () => MetaInfoDef };
  NodeDef: new () => NodeDef;
  SavedModel: new () => SavedModel;
  SignatureDef: new () => SignatureDef;
  Tensor: new () => TensorProto;
  TensorInfo: new () => TensorInfo;
  TensorShape: (new () => TensorShape) & { Dim: new () => Dim };
  VersionDef: new () => VersionDef;
}
export interface AttrValue {
  setB(value: boolean): void;
  setF(value: number): void;
  setI(value: number): void;
  setS(value: Uint8Array): void;
  setType(value: number): void;
  setShape(value: TensorShape): void;
  setTensor(value: TensorProto): void;
  setList(value: ListValue): void;
}
export interface ListValue {
  setBList(value: boolean[]): void;
  setFList(value: number[]): void;
  setIList(value: number[]): void;
  setTypeList(value: number[]): void;
}
interface Dim {
  setSize(value: number): void;
}
export interface TensorShape {
  setDimList(value: Dim[]): void;
}
export interface TensorProto {
  setDtype(value: number): void;
  setTensorShape(value: TensorShape): void;
  setTensorContent(value: Uint8Array): void;
  setBoolValList(value: boolean[]): void;
  setFloatValList(value: number[]): void;
  setIntValList(value: number[]): void;
}
export interface NodeDef {
  setName(value: string): void;
  setOp(value: string): void;
  setInputList(value: string[]): void;
  getAttrMap(): { set(name: string, value: AttrValue): void };
}
interface VersionDef {
  setProducer(value: number): void;
}
interface GraphDef {
  setNodeList(value: NodeDef[]): void;
  setVersions(value: VersionDef): void;
}
interface MetaInfoDef {
  setTagsList(value: string[]): void;
  setTensorflowVersion(value: string): void;
}
export interface TensorInfo {
  setName(value: string): void;
  setDtype(value: number): void;
  setTensorShape(value: TensorShape): void;
}
export interface SignatureDef {
  setMethodName(value: string): void;
  getInputsMap(): { set(name: string, value: TensorInfo): void };
  getOutputsMap(): { set(name: string, value: TensorInfo): void };
}
interface MetaGraphDef {
  setMetaInfoDef(value: MetaInfoDef): void;
  setGraphDef(value: GraphDef): void;
  getSignatureDefMap(): { set(name: string, value: SignatureDef): void };
}
interface SavedModel {
  setSavedModelSchemaVersion(value: number): void;
  setMetaGraphsList(value: MetaGraphDef[]): void;
  serializeBinary(): Uint8Array;
}

const require = createRequire(import.meta.url);
let loaded: Messages | undefined;

/** Loaded when first used: the classes are large. */
export function messages(): Messages {
  loaded ??= require("@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js");
  if (loaded === undefined) throw new Error("tfjs-node-gpu has no protobuf classes");
  return loaded;
}
