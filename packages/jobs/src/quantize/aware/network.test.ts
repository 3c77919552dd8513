import { initEngine, predict, tf } from "@whittle/engine";
import { exportTraced, Quantizer } from "@whittle/onnx";
import { classify, createSession } from "@whittle/onnx/runtime";
import { buildModel } from "@whittle/zoo";
import { beforeAll, describe, expect, it } from "vitest";
import { createAwareModel } from "./aware-model.ts";
import { foldBatchNorms } from "./fold-batch-norm.ts";
import { buildNetwork, networkOf, separateActivations, topologyOf } from "./network.ts";

const inputShape = [8, 8, 1];
const models: [name: string, params: Record<string, unknown>][] = [
  ["cnn", { filters: [4], batchNorm: true, dense: 16 }],
  ["resnet", { filters: 4 }],
  ["mobilenet", { stages: [{ expansion: 2, filters: 8, blocks: 2, stride: 2 }], features: 16 }],
  ["transformer", { width: 8, heads: 2, hidden: 8, blocks: 1, activation: "gelu", patch: 2 }],
];

/** A model with statistics of its batch normalizations as after training, and samples. */
function build([name, params]: (typeof models)[number]) {
  const model = buildModel(name, params, { inputShape, classes: 3, seed: 1 });
  for (const [at, layer] of model.layers.entries()) {
    if (layer.getClassName() !== "BatchNormalization") continue;
    const draw = ({ shape }: tf.Tensor, which: number) => tf.randomUniform(shape, 0.5, 1.5, "float32", 9 * at + which);
    layer.setWeights(layer.getWeights().map(draw));
  }
  return { model, x: tf.randomUniform([64, ...inputShape], 0, 1, "float32", 3) };
}

const values = (tensor: tf.Tensor) => Float32Array.from(tensor.dataSync());
const mean = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] ?? Number.NaN)), 0) / a.length;

describe.each(models)("a %s", (...described) => {
  beforeAll(() => initEngine());

  it("computes the same without batch normalization and with its activations apart", async () => {
    const { model, x } = build(described);
    const rewritten = await buildNetwork(separateActivations(foldBatchNorms(networkOf(model))));
    const classes = rewritten.layers.map((layer) => layer.getClassName());
    expect(classes).not.toContain("BatchNormalization");
    expect(mean(values(predict(model, x)), values(predict(rewritten, x)))).toBeLessThan(1e-5);
  });

  it("answers with fake quantization as the integers do, but for sums on the edge between two", async () => {
    const bits = 4;
    const { model, x } = build(described);
    const network = separateActivations(foldBatchNorms(networkOf(model)));
    const spec = (name: string, shape: number[]) => [{ name, datatype: "FP32" as const, shape: [-1, ...shape] }];
    const signature = { inputs: spec("input", inputShape), outputs: spec("logits", [3]) };
    const graph = exportTraced({ topology: topologyOf(network), weights: network.weights, signature });
    const calibration = { inputs: values(x), shape: inputShape };
    const options = { bits, reduceRange: false };
    const { parameters } = await new Quantizer(graph.model, calibration).quantize(options);
    const aware = await createAwareModel(network, { tensors: graph.tensors, parameters, bits, learned: true });
    const { weights, given } = aware.finish();
    const rounded = exportTraced({ topology: topologyOf(network), weights, signature });
    const quantized = await new Quantizer(rounded.model, calibration).quantize({ ...options, given });
    const session = await createSession(quantized.model);
    const { logits } = await classify(session, calibration.inputs, inputShape, 64);
    await session.release();
    const lost = mean(values(predict(model, x)), logits);
    expect(mean(values(predict(aware.model, x)), logits)).toBeLessThan(lost / 8);
    expect(Object.keys(weights).toSorted()).toEqual(Object.keys(network.weights).toSorted());
  });
});
