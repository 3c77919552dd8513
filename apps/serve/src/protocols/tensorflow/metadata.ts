import type { Datatype, TensorSpec } from "@whittle/contracts";
import type { Servable } from "../../engine/servable.ts";
import { SIGNATURE } from "./predict.ts";

const dtypes: Record<Datatype, string> = {
  BOOL: "DT_BOOL",
  UINT8: "DT_UINT8",
  INT8: "DT_INT8",
  INT32: "DT_INT32",
  INT64: "DT_INT64",
  FP32: "DT_FLOAT",
  FP64: "DT_DOUBLE",
};

/** A model's signature in the words of TensorFlow Serving. */
export function metadataOf({ name, version, specs }: Servable) {
  const signature = {
    inputs: tensorInfos(specs.inputs),
    outputs: tensorInfos(specs.outputs),
    method_name: "tensorflow/serving/predict",
  };
  return {
    model_spec: { name, signature_name: "", version: String(version) },
    metadata: { signature_def: { signature_def: { [SIGNATURE]: signature } } },
  };
}

function tensorInfos(specs: readonly TensorSpec[]) {
  return Object.fromEntries(
    specs.map(({ name, datatype, shape }) => [
      name,
      {
        dtype: dtypes[datatype],
        tensor_shape: { dim: shape.map((size) => ({ size: String(size), name: "" })), unknown_rank: false },
        name,
      },
    ]),
  );
}
