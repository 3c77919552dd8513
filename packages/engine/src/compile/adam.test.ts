/** @module-tag tensorflow */
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { nativeBinding } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import { adamUpdate } from "./adam.ts";
import { compile } from "./compile.ts";
import { distance } from "./testing/models.ts";

beforeAll(async () => void (await initEngine()));

const settings = { beta1: 0.9, beta2: 0.99, epsilon: 1e-4 };

/** Adam on two weights of different shapes; the gradient depends on the weight. */
function adam() {
  const state = [[3, 2], []].map((shape, at) => ({
    weight: tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, 1, "float32", at + 1))),
    mean: tf.tidy(() => tf.variable(tf.zeros(shape))),
    square: tf.tidy(() => tf.variable(tf.zeros(shape))),
  }));
  const step = (by: tf.Scalar) => {
    for (const { weight, mean, square } of state) {
      const gradient = tf.mul(tf.sin(tf.add(weight, by)), by);
      const next = adamUpdate({ weight, mean, square, gradient, rate: tf.mul(by, 0.01).asScalar() }, settings);
      weight.assign(next.weight);
      mean.assign(next.mean);
      square.assign(next.square);
    }
  };
  return { variables: state.flatMap(({ weight, mean, square }) => [weight, mean, square]), step };
}

describe("Adam as one operation", () => {
  it.each([{ xla: false }, { xla: true }])("comes to the same as op by op, %j", (options) => {
    const [eager, compiled] = [adam(), adam()];
    const fast = compile(compiled.step, options);
    for (let at = 1; at <= 20; at++) {
      tf.tidy(() => eager.step(tf.scalar(at / 10)));
      tf.tidy(() => fast(tf.scalar(at / 10)));
    }
    expect(fast.graphs).toBe(1);
    for (const [at, variable] of compiled.variables.entries()) {
      expect(distance(variable.dataSync(), eager.variables[at]?.dataSync() ?? [])).toBeLessThan(2e-6);
    }
  });

  it("leaves clones of the weights as they were, and no tensor behind", () => {
    const { variables, step } = adam();
    const compiled = compile(step);
    const by = tf.scalar(0.5);
    for (let call = 0; call < 4; call++) compiled(by);
    const clones = variables.map((variable) => variable.clone());
    const before = clones.map((clone) => [...clone.dataSync()]);
    const handles = [tf.memory().numTensors, nativeBinding()?.getNumOfTensors()];
    compiled(by);
    expect(clones.map((clone) => [...clone.dataSync()])).toEqual(before);
    expect([...(variables[0]?.dataSync() ?? [])]).not.toEqual(before[0]);
    for (let call = 0; call < 200; call++) compiled(by);
    // The clones have kept the handles that the variables had; these are in the session.
    expect([tf.memory().numTensors, nativeBinding()?.getNumOfTensors()]).toEqual(handles);
  });
});
