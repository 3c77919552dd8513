import type { SerializedError, TensorSpec } from "@whittle/contracts";
import type { TensorValue } from "@whittle/onnx/runtime";

export type TensorData = TensorValue["data"];

/** Tensors by the name of the model's input or output. */
export type Tensors = Record<string, TensorValue>;

/** What a model takes and gives, as ONNX Runtime sees it. */
export interface ModelSpecs {
  inputs: readonly TensorSpec[];
  outputs: readonly TensorSpec[];
}

/** `key` names one loaded model in the engine; it is never used for another. */
export type ThreadTask =
  | { type: "load"; key: string; model: Uint8Array }
  | { type: "run"; key: string; inputs: Tensors }
  | { type: "release"; key: string };

export type ThreadRequest = ThreadTask & { id: number };

export type ThreadResult =
  | { type: "loaded"; specs: ModelSpecs }
  | { type: "ran"; outputs: Tensors }
  | { type: "released" };

export type ThreadReply = { id: number } & ({ result: ThreadResult } | { error: SerializedError });
