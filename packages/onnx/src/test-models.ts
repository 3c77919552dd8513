import { exportOnnx } from "./export/export.ts";
import type { Weight } from "./export/layer.ts";

/** A layer of a Sequential topology: class, name and the configuration that the test is about. */
export type TestLayer = [className: string, name: string, config?: Record<string, unknown>];

export function sequential(inputShape: readonly number[], layers: readonly TestLayer[]) {
  const input: TestLayer = ["InputLayer", "input", { batch_input_shape: [null, ...inputShape] }];
  return {
    class_name: "Sequential",
    config: {
      name: "model",
      layers: [input, ...layers].map(([class_name, name, config]) => ({ class_name, config: { name, ...config } })),
    },
  };
}

/** A layer of a functional topology: class, name, the names of its inputs, and configuration. */
export type TestCall = [className: string, name: string, inputs: string[], config?: Record<string, unknown>];

/** A functional model from one input to the last of the calls. */
export function functional(inputShape: readonly number[], calls: readonly TestCall[]) {
  const input: TestCall = ["InputLayer", "in", [], { batch_input_shape: [null, ...inputShape] }];
  const layers = [input, ...calls].map(([class_name, name, inputs, config]) => ({
    class_name,
    name,
    config: { name, ...config },
    inbound_nodes: inputs.length === 0 ? [] : [inputs.map((from) => [from, 0, 0, {}])],
  }));
  const output = calls.at(-1)?.[1] ?? "in";
  return { class_name: "Model", config: { layers, input_layers: [["in", 0, 0]], output_layers: [[output, 0, 0]] } };
}

export function signature(input: readonly number[], output: readonly number[]) {
  return {
    inputs: [{ name: "x", datatype: "FP32" as const, shape: [-1, ...input] }],
    outputs: [{ name: "logits", datatype: "FP32" as const, shape: [-1, ...output] }],
  };
}

export function weight(shape: readonly number[], data: Iterable<number>): Weight {
  return { shape, data: Float32Array.from(data) };
}

/** Values in [-0.5, 0.5) that look random and are the same at every run. */
export function noise(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

const convolution = { kernel_size: [3, 3], strides: [1, 1], padding: "same", activation: "relu" };
const pool = { pool_size: [2, 2], strides: [2, 2], padding: "valid" };

/** Conv 3x3 to 4 channels, ReLU, max pool, dense to 3: [8, 8, 2] images, weights as {@link noise} or as given. */
export function smallCnn(weights: Record<string, Weight> = {}): Uint8Array<ArrayBuffer> {
  const layers: TestLayer[] = [
    ["Conv2D", "conv", convolution],
    ["MaxPooling2D", "pool", pool],
    ["Flatten", "flatten"],
    ["Dense", "dense", { units: 3, activation: "linear" }],
  ];
  return exportOnnx({
    topology: sequential([8, 8, 2], layers),
    weights: {
      "conv/kernel": weight([3, 3, 2, 4], noise(72, 1)),
      "conv/bias": weight([4], noise(4, 2)),
      "dense/kernel": weight([64, 3], noise(192, 3)),
      "dense/bias": weight([3], noise(3, 4)),
      ...weights,
    },
    signature: signature([8, 8, 2], [3]),
  });
}
