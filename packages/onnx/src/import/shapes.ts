import type { Datatype } from "@whittle/contracts";
import { encodeModel, type OnnxModel, type ValueInfo } from "../proto/model.ts";
import { batchParam } from "../proto/node.ts";
import { DataType, elementCount } from "../proto/tensor.ts";
import { createSession } from "../runtime/session.ts";
import type { TensorValue } from "../runtime/tensors.ts";
import { INPUT } from "./names.ts";

const elementTypes: Partial<Record<Datatype, number>> = {
  FP32: DataType.FLOAT,
  INT64: DataType.INT64,
  INT32: DataType.INT32,
  UINT8: DataType.UINT8,
  INT8: DataType.INT8,
  BOOL: 9,
  FP64: 11,
};
/** Two numbers of samples, to tell what the batch is in a shape. */
const [FEW, MORE] = [2, 3] as const;

/**
 * Declares the type and shape of every tensor as two runs show them: sizes that follow the batch are named N, or 8*N where each
 * sample has 8, those that vary otherwise are left open.
 * @param sample its shape
 * @throws AppError when ONNX Runtime does not run the model with 2 and with 3 samples.
 */
export async function observeShapes(model: OnnxModel, sample: readonly number[]): Promise<OnnxModel> {
  const { graph } = model;
  const names = graph.node.flatMap(({ output }) => output.filter((name) => name !== ""));
  const probe = { ...model, graph: { ...graph, output: names.map((name) => ({ name })) } };
  const session = await createSession(encodeModel(probe));
  try {
    const run = (count: number) => {
      const data = Float32Array.from({ length: count * elementCount(sample) }, (_none, at) => (at * 0.618) % 1);
      return session.run({ [INPUT]: { shape: [count, ...sample], datatype: "FP32", data } });
    };
    const [few, more] = [await run(FEW), await run(MORE)];
    const infos = names.flatMap((name) => declared(name, few[name], more[name]));
    const outputs = new Set(graph.output.map(({ name }) => name));
    const output = infos.filter(({ name }) => outputs.has(name));
    return { ...model, graph: { ...graph, output, valueInfo: infos.filter(({ name }) => !outputs.has(name)) } };
  } finally {
    await session.release();
  }
}

function declared(name: string, few: TensorValue | undefined, more: TensorValue | undefined): ValueInfo[] {
  const elemType = few && elementTypes[few.datatype];
  if (!few || !more || elemType === undefined || few.shape.length !== more.shape.length) return [];
  const dim = few.shape.map((size, axis) => {
    const other = more.shape[axis];
    if (size === other) return { dimValue: size };
    const times = size / FEW;
    return other === times * MORE ? { dimParam: batchParam(times) } : {};
  });
  return [{ name, type: { tensorType: { elemType, shape: { dim } } } }];
}
