import type { ArtifactDraft, Signature } from "@whittle/contracts";
import { exportOnnx, quantizeOnnx } from "@whittle/onnx";

type Layer = [className: string, config: Record<string, unknown>, inputs: string[]];

const reference = (name: string) => [name, 0, 0];

/** A functional model of hand-made layers; those of class InputLayer are its inputs. */
function topologyOf(layers: Record<string, Layer>, outputs: string[]) {
  const inputs = Object.keys(layers).filter((name) => layers[name]?.[0] === "InputLayer");
  return {
    class_name: "Model",
    config: {
      name: "hand-made",
      layers: Object.entries(layers).map(([name, [className, config, from]]) => ({
        name,
        class_name: className,
        config: { name, ...config },
        inbound_nodes: from.length > 0 ? [from.map((source) => [...reference(source), {}])] : [],
      })),
      input_layers: inputs.map(reference),
      output_layers: outputs.map(reference),
    },
  };
}

function draftOf(signature: Signature, model: Uint8Array): ArtifactDraft {
  return {
    config: {
      family: "mlp",
      familyParams: {},
      signature,
      preprocessing: { scale: 0.5, offset: -1 },
      labels: ["left", "right"],
    },
    metrics: {},
    job: { kind: "train", params: {} },
    parents: [],
    versions: {},
    files: [{ path: "model.onnx", role: "onnx", mediaType: "application/onnx", bytes: model }],
    measurements: {},
  };
}

/** logits = [x0 + x2, x1 + x2] + bias, so the answer to [1, 2, 3] is [4, 5] + bias. */
export function denseModel(bias: [number, number] = [0, 0]): ArtifactDraft {
  const signature: Signature = {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }],
    outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
  };
  const topology = topologyOf(
    {
      input: ["InputLayer", { batch_input_shape: [null, 3], dtype: "float32" }, []],
      dense: ["Dense", { units: 2, activation: "linear", use_bias: true }, ["input"]],
    },
    ["dense"],
  );
  const weights = {
    "dense/kernel": { shape: [3, 2], data: Float32Array.of(1, 0, 0, 1, 1, 1) },
    "dense/bias": { shape: [2], data: Float32Array.from(bias) },
  };
  return draftOf(signature, exportOnnx({ topology, weights, signature }));
}

/** logits = [x0 + 2 x1 + 3 x2 + …, 0]: so many columns that an explanation takes its time. */
export function wideModel(columns: number): ArtifactDraft {
  const signature: Signature = {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, columns] }],
    outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
  };
  const topology = topologyOf(
    {
      input: ["InputLayer", { batch_input_shape: [null, columns], dtype: "float32" }, []],
      dense: ["Dense", { units: 2, activation: "linear", use_bias: false }, ["input"]],
    },
    ["dense"],
  );
  const kernel = Float32Array.from({ length: 2 * columns }, (_, at) => (at % 2 === 0 ? at / 2 + 1 : 0));
  const weights = { "dense/kernel": { shape: [columns, 2], data: kernel } };
  return draftOf(signature, exportOnnx({ topology, weights, signature }));
}

/** {@link wideModel} in dynamic int8, which takes the range of its inputs from all samples of a call. */
export async function dynamicModel(columns: number): Promise<ArtifactDraft> {
  const draft = wideModel(columns);
  const calibration = { inputs: new Float32Array(columns).fill(1), shape: [columns] };
  const files = draft.files.map(async (file) => ({
    ...file,
    bytes: (await quantizeOnnx(file.bytes, { calibration, method: "dynamic" })).model,
  }));
  const quantization = { bits: 8, granularity: "channel", scheme: "symmetric", method: "dynamic" };
  return { ...draft, config: { ...draft.config, compression: { quantization } }, files: await Promise.all(files) };
}

/** Two inputs, two outputs: sum = a + b, and total = b0 + 10 b1. */
export function twoInputModel(): ArtifactDraft {
  const signature: Signature = {
    inputs: [
      { name: "a", datatype: "FP32", shape: [-1, 2] },
      { name: "b", datatype: "FP32", shape: [-1, 2] },
    ],
    outputs: [
      { name: "sum", datatype: "FP32", shape: [-1, 2] },
      { name: "total", datatype: "FP32", shape: [-1, 1] },
    ],
  };
  const topology = topologyOf(
    {
      a: ["InputLayer", { batch_input_shape: [null, 2], dtype: "float32" }, []],
      b: ["InputLayer", { batch_input_shape: [null, 2], dtype: "float32" }, []],
      add: ["Add", {}, ["a", "b"]],
      total: ["Dense", { units: 1, activation: "linear", use_bias: false }, ["b"]],
    },
    ["add", "total"],
  );
  const weights = { "total/kernel": { shape: [2, 1], data: Float32Array.of(1, 10) } };
  return draftOf(signature, exportOnnx({ topology, weights, signature }));
}
