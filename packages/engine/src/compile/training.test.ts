/** @module-tag tensorflow */
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { nativeBinding } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import { compile } from "./compile.ts";
import { lossOf, minimize, pair, weightsDistance } from "./testing/models.ts";

beforeAll(async () => void (await initEngine()));

const { layers } = tf;
const mlp = () =>
  pair(
    () =>
      tf.sequential({
        layers: [layers.dense({ units: 8, activation: "relu", inputShape: [6] }), layers.dense({ units: 3 })],
      }),
    tf.randomNormal([8, 6], 0, 1, "float32", 1),
    3,
  );

describe("a compiled step of training", () => {
  it("trains with a smaller last batch as the eager step does", () => {
    const { models, x, y } = mlp();
    const [eager, compiled] = [
      minimize(models[0], tf.train.adam(0.01)),
      compile(minimize(models[1], tf.train.adam(0.01))),
    ];
    for (let call = 0; call < 12; call++) {
      const rows = call % 3 === 2 ? 3 : 8;
      const [xs, ys] = [x.slice(0, rows), y.slice(0, rows)];
      eager(xs, ys);
      compiled(xs, ys);
    }
    expect(weightsDistance(models)).toBeLessThan(1e-6);
    expect(compiled.graphs).toBe(2);
  });

  it("is traced again when a captured tensor or an optimizer's setting was replaced", () => {
    const { models, x, y } = mlp();
    const optimizers = [tf.train.sgd(0.1), tf.train.sgd(0.1)] as const;
    const [eager, compiled] = [minimize(models[0], optimizers[0]), compile(minimize(models[1], optimizers[1]))];
    for (const rate of [0.1, 0.1, 0.1, 0.5, 0.5]) {
      for (const optimizer of optimizers) optimizer.setLearningRate(rate);
      eager(x, y);
      compiled(x, y);
    }
    expect(weightsDistance(models)).toBeLessThan(1e-6);
  });

  it("compiled by XLA trains as the eager step does", () => {
    const { models, x, y } = mlp();
    const [eager, compiled] = [
      minimize(models[0], tf.train.adam(0.01)),
      compile(minimize(models[1], tf.train.adam(0.01)), { xla: true }),
    ];
    for (let call = 0; call < 10; call++) {
      eager(x, y);
      compiled(x, y);
    }
    expect(weightsDistance(models)).toBeLessThan(1e-5);
  });

  it("leaks no tensor and no handle", () => {
    const { models, x, y } = mlp();
    let rate = 0.01;
    const optimizer = tf.train.adam(0.01);
    const step = minimize(models[0], optimizer);
    const compiled = compile(
      (xs: tf.Tensor, ys: tf.Tensor, live: { rate: tf.Scalar }) => step(tf.dropout(xs, 0.1), ys).mul(live.rate),
      { live: () => ({ rate }) },
    );
    const run = () => {
      rate *= 0.999;
      compiled(x, y).dispose();
    };
    for (let call = 0; call < 4; call++) run();
    const before = [tf.memory().numTensors, tf.memory().numBytes, nativeBinding()?.getNumOfTensors()];
    for (let call = 0; call < 4000; call++) run();
    expect([tf.memory().numTensors, tf.memory().numBytes, nativeBinding()?.getNumOfTensors()]).toEqual(before);
    expect(optimizer.iterations).toBe(4004);
  });

  it("an optimizer's slots come to be in the first call, which is a real step", () => {
    const { models, x, y } = mlp();
    const [expected] = [lossOf(models[0], x, y).dataSync()[0]];
    const compiled = compile(minimize(models[0], tf.train.adam(0.1)));
    expect(compiled(x, y).dataSync()[0]).toBeCloseTo(expected ?? NaN, 6);
    expect(compiled.graphs).toBe(0);
    expect(compiled(x, y).dataSync()[0]).toBeLessThan(expected ?? NaN);
    expect(compiled.graphs).toBe(1);
  });
});
