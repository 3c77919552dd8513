import { initEngine, modelWeights, predict, tf } from "@whittle/engine";
import { exportOnnx } from "@whittle/onnx";
import { createSession } from "@whittle/onnx/runtime";
import { buildModel } from "@whittle/zoo";
import { families, familyName } from "@whittle/zoo/catalog";
import { beforeAll, describe, expect, it } from "vitest";

const { layers } = tf;

function apply(layer: tf.layers.Layer, ...inputs: tf.SymbolicTensor[]): tf.SymbolicTensor {
  const output = layer.apply(inputs.length === 1 ? (inputs[0] ?? []) : inputs);
  if (output instanceof tf.SymbolicTensor) return output;
  throw new TypeError(`${layer.name} does not give one symbolic tensor.`);
}

/** Functional and odd models that the zoo has no family for; each covers layers that the others do not. */
const models: Record<string, () => tf.LayersModel> = {
  "odd strides, padding and batch normalization around activations": () =>
    tf.sequential({
      layers: [
        layers.conv2d({
          inputShape: [9, 7, 2],
          filters: 4,
          kernelSize: 3,
          padding: "same",
          strides: 2,
          useBias: false,
        }),
        layers.batchNormalization(),
        layers.reLU({ maxValue: 3 }),
        layers.maxPooling2d({ poolSize: 2, padding: "same" }),
        layers.conv2d({ filters: 6, kernelSize: [2, 1], activation: "relu6" }),
        layers.batchNormalization({ scale: false }),
        layers.dropout({ rate: 0.3 }),
        layers.flatten(),
        layers.dropout({ rate: 0.2 }),
        layers.dense({ units: 8, activation: "tanh" }),
        layers.batchNormalization({ center: false }),
        layers.dense({ units: 3, activation: "softmax" }),
      ],
    }),
  "a residual block with a layer that is used twice": () => {
    const input = tf.input({ shape: [8, 8, 3] });
    const shared = layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", dilationRate: 2, activation: "elu" });
    const first = apply(shared, apply(layers.conv2d({ filters: 4, kernelSize: 1 }), input));
    const second = apply(shared, first);
    const depthwise = apply(layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 1, padding: "same" }), second);
    const sum = apply(layers.add(), first, second, apply(layers.batchNormalization(), depthwise));
    const gated = apply(layers.activation({ activation: "swish" }), apply(layers.batchNormalization(), sum));
    const pooled = apply(layers.averagePooling2d({ poolSize: 3, strides: 2, padding: "same" }), gated);
    const features = apply(layers.globalAveragePooling2d({}), pooled);
    return tf.model({ inputs: input, outputs: apply(layers.dense({ units: 5 }), features) });
  },
  "flattened images that a layer reads in Keras' order": () =>
    tf.sequential({
      layers: [
        layers.depthwiseConv2d({ inputShape: [4, 4, 2], kernelSize: 2, depthMultiplier: 2, activation: "sigmoid" }),
        layers.flatten(),
        layers.batchNormalization(),
        layers.reshape({ targetShape: [6, 6] }),
        layers.dense({ units: 4, activation: "hardSigmoid" }),
        layers.batchNormalization(),
        layers.leakyReLU({ alpha: 0.1 }),
        layers.activation({ activation: "softmax" }),
      ],
    }),
  "images that come out as images": () =>
    tf.sequential({
      layers: [layers.conv2d({ inputShape: [4, 4, 2], filters: 3, kernelSize: 3, activation: "softmax" })],
    }),
  "every other activation": () =>
    tf.sequential({
      layers: (["selu", "softplus", "softsign", "mish", "gelu", "linear"] as const).map((activation) =>
        layers.dense({ inputShape: [6], units: 6, activation }),
      ),
    }),
};

/** Gives every weight other values, so that normalization statistics and biases are not those of a new model. */
function randomize(model: tf.LayersModel): void {
  model.setWeights(
    model.getWeights().map((weight, at) => {
      const variance = model.weights[at]?.originalName.includes("variance") ?? false;
      return tf.randomUniform(weight.shape, variance ? 0.5 : -0.5, variance ? 1.5 : 0.5, "float32", at + 1);
    }),
  );
}

const withBatch = (shape: (number | null)[]) => [-1, ...shape.slice(1).map(Number)];

async function runOnnx(model: tf.LayersModel, x: tf.Tensor): Promise<Float32Array> {
  const [input, output] = [model.inputs[0], model.outputs[0]];
  const bytes = exportOnnx({
    topology: model.toJSON(null, false),
    weights: modelWeights(model),
    signature: {
      inputs: [{ name: "x", datatype: "FP32", shape: withBatch(input?.shape ?? []) }],
      outputs: [{ name: "y", datatype: "FP32", shape: withBatch(output?.shape ?? []) }],
    },
  });
  const session = await createSession(bytes);
  const { y } = await session.run({ x: { shape: x.shape, datatype: "FP32", data: Float32Array.from(x.dataSync()) } });
  await session.release();
  return y?.data instanceof Float32Array ? y.data : new Float32Array();
}

function largestDifference(expected: ArrayLike<number>, found: Float32Array): number {
  expect(found.length).toBe(expected.length);
  return found.reduce((most, value, at) => Math.max(most, Math.abs(value - (expected[at] ?? Number.NaN))), 0);
}

beforeAll(async () => {
  await initEngine();
});

describe("an exported model answers in ONNX Runtime as it does in TensorFlow", () => {
  it.each(Object.keys(models))("%s", async (name) => {
    const model = models[name]?.() ?? tf.sequential();
    randomize(model);
    const x = tf.randomNormal([5, ...withBatch(model.inputs[0]?.shape ?? []).slice(1)], 0, 1, "float32", 3);
    expect(largestDifference(predict(model, x).dataSync(), await runOnnx(model, x))).toBeLessThan(1e-5);
  });

  const examples = familyName.options.flatMap((family) =>
    families[family].examples.map((example) => ({ family, ...example })),
  );
  it.each(examples)("the example $params of $family", async ({ family, params, ...shape }) => {
    const model = buildModel(family, params, { ...shape, classes: 4, seed: 1 });
    randomize(model);
    const { inputShape, vocabulary } = shape;
    const x = tf.randomUniform([5, ...inputShape], 0, vocabulary ?? 1, "float32", 3);
    const samples = vocabulary === undefined ? x : tf.floor(x);
    const expected = predict(model, samples).dataSync();
    const scale = Math.max(1, ...expected.map(Math.abs));
    expect(largestDifference(expected, await runOnnx(model, samples)) / scale).toBeLessThan(1e-5);
  });
});
