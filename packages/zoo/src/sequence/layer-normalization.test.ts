import { initEngine, loadModel, saveModel, tf } from "@whittle/engine";
import { beforeAll, expect, it } from "vitest";
import { LayerNormalization } from "./layer-normalization.ts";

beforeAll(async () => void (await initEngine()));

/** What a layer gives for x, and the gradients of the sum of its squares by x and by the layer's weights. */
function valueAndGradients(layer: tf.layers.Layer, x: tf.Tensor, weights: number[][]): tf.Tensor[] {
  const output = (input: tf.Tensor) => {
    const made = layer.apply(input);
    if (made instanceof tf.Tensor) return made;
    throw new TypeError("the layer gave no tensor");
  };
  output(x);
  layer.setWeights(weights.map((values) => tf.tensor1d(values)));
  const loss = (input: tf.Tensor) => tf.sum(tf.square(output(input))).asScalar();
  const { grads } = tf.variableGrads(() => loss(x));
  return [output(x), tf.grad(loss)(x), ...Object.values(grads)];
}

it.each([
  ["the last axis", -1, [1, -2, 0.5], [0.1, 0.2, 0.3]],
  ["another axis", 1, [1, 2], [3, 4]],
])("gives what tfjs' layer gives, and its gradients, over %s", (_what, axis, gamma, beta) => {
  const x = tf.randomNormal([4, 2, 3], 1, 2, "float32", 1);
  const stock = valueAndGradients(tf.layers.layerNormalization({ axis }), x, [gamma, beta]);
  const ours = valueAndGradients(new LayerNormalization({ axis }), x, [gamma, beta]);
  expect(ours.length).toBe(stock.length);
  for (const [at, expected] of stock.entries()) {
    const distance = tf.max(tf.abs(tf.sub(expected, ours[at] ?? Number.NaN))).dataSync()[0];
    expect(distance).toBeLessThan(1e-4);
  }
});

it("normalizes without a scale and without an offset, whose gradients tfjs' layer can't give", () => {
  // Mean 2, standard deviation 1: -1 and 1.
  const x = tf.tensor2d([[1, 3]]);
  const [scaled] = valueAndGradients(new LayerNormalization({ center: false, epsilon: 0 }), x, [[2, 3]]);
  const [shifted] = valueAndGradients(new LayerNormalization({ scale: false, epsilon: 0 }), x, [[0.5, 1]]);
  expect([...(scaled?.dataSync() ?? []), ...(shifted?.dataSync() ?? [])]).toEqual([-2, 3, -0.5, 2]);
});

it("is read from the files of tfjs' layer, and written as it", async () => {
  const build = (layer: tf.layers.Layer) => tf.sequential({ name: "model", layers: [layer] });
  const stock = build(tf.layers.layerNormalization({ name: "norm", inputShape: [3] }));
  const files = await saveModel(stock);
  const loaded = await loadModel(files);
  expect(loaded.layers[0]).toBeInstanceOf(LayerNormalization);
  const ours = build(new LayerNormalization({ name: "norm", inputShape: [3] }));
  expect((await saveModel(ours)).topology).toEqual(files.topology);
});
