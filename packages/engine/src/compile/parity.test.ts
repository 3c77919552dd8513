/** @module-tag tensorflow */
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { compile } from "./compile.ts";
import { minimize, pair, weightsDistance, type Pair } from "./testing/models.ts";

const { layers } = tf;

const models: Record<string, () => Pair> = {
  mlp: () =>
    pair(
      () =>
        tf.sequential({
          layers: [layers.dense({ units: 16, activation: "relu", inputShape: [12] }), layers.dense({ units: 4 })],
        }),
      tf.randomNormal([8, 12], 0, 1, "float32", 1),
      4,
    ),
  "cnn with max-pooling, batch normalization and seeded dropout": () =>
    pair(
      () =>
        tf.sequential({
          layers: [
            // The mean takes a bias out again (Ioffe and Szegedy, 1502.03167, 3.2): its gradient is 0 but for rounding, which Adam, that
            // divides by the gradient's size, makes whole steps of, and which no relative bound holds for under SGD either.
            layers.conv2d({ filters: 4, kernelSize: 3, useBias: false, inputShape: [10, 10, 1] }),
            layers.batchNormalization(),
            layers.reLU(),
            layers.maxPooling2d({ poolSize: 2 }),
            layers.flatten(),
            layers.dropout({ rate: 0.25, seed: 5 }),
            layers.dense({ units: 3 }),
          ],
        }),
      tf.randomNormal([8, 10, 10, 1], 0, 1, "float32", 2),
      3,
    ),
  "embedding and conv1d": () =>
    pair(
      () =>
        tf.sequential({
          layers: [
            layers.embedding({ inputDim: 20, outputDim: 6, inputLength: 9 }),
            layers.conv1d({ filters: 5, kernelSize: 3, activation: "relu" }),
            layers.globalMaxPooling1d(),
            layers.dense({ units: 2 }),
          ],
        }),
      tf.tidy(() => tf.floor(tf.randomUniform([8, 9], 0, 20, "float32", 3))),
      2,
    ),
  lstm: () => recurrent(layers.lstm({ units: 6, inputShape: [5, 4] })),
  gru: () => recurrent(layers.gru({ units: 6, inputShape: [5, 4] })),
};

function recurrent(layer: tf.layers.Layer): Pair {
  const config = layer.getConfig();
  const make = () => {
    const copy =
      layer.getClassName() === "LSTM" ? layers.lstm({ ...config, units: 6 }) : layers.gru({ ...config, units: 6 });
    return tf.sequential({ layers: [copy, layers.dense({ units: 3 })] });
  };
  return pair(make, tf.randomNormal([6, 5, 4], 0, 1, "float32", 4), 3);
}

const optimizers = {
  sgd: () => tf.train.sgd(0.1),
  momentum: () => tf.train.momentum(0.05, 0.9),
  adam: () => tf.train.adam(0.01),
};

beforeAll(async () => void (await initEngine()));

describe.each(Object.keys(models))("a compiled step of %s", (name) => {
  it.each(Object.entries(optimizers))("equals the eager one for 20 steps of %s", (_, makeOptimizer) => {
    const made = models[name]?.();
    if (!made) throw new Error(name);
    const [eagerOptimizer, optimizer] = [makeOptimizer(), makeOptimizer()];
    const eager = minimize(made.models[0], eagerOptimizer);
    const compiled = compile(minimize(made.models[1], optimizer));
    const before = made.models[0].getWeights().map((weight) => weight.clone());
    for (let step = 0; step < 20; step++) {
      const [expected, loss] = [eager(made.x, made.y).dataSync()[0], compiled(made.x, made.y).dataSync()[0]];
      expect(loss).toBeCloseTo(expected ?? NaN, 5);
    }
    expect(weightsDistance(made.models)).toBeLessThan(2e-6);
    expect(
      before[0]
        ?.equal(made.models[1].getWeights()[0] ?? 0)
        .all()
        .dataSync()[0],
    ).toBe(0);
    expect(optimizer.iterations).toBe(eagerOptimizer.iterations);
    expect(compiled.graphs).toBe(1);
    compiled.dispose();
  });
});
