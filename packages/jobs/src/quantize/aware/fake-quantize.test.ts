import { initEngine, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { learnedStep, straightThrough, type FakeQuantizer } from "./fake-quantize.ts";
import oracle from "./fixtures/torch_fake_quantize.json" with { type: "json" };

beforeAll(() => initEngine());

interface Case {
  v: number[];
  shape: number[];
  step: number[];
  /** Whether all values have one step. */
  scalar: boolean;
  dy: number[];
  low: number;
  high: number;
  count: number;
}

/** The quantized values, and the gradients by values and steps of their sum weighted with dy. */
function run(quantizer: FakeQuantizer, { v, shape, step, scalar, dy, low, high, count }: Case) {
  return tf.tidy(() => {
    const weights = tf.tensor(dy, shape);
    const quantize = (values: tf.Tensor, steps: tf.Tensor) => quantizer(values, steps, { low, high }, count);
    const [values, steps] = [tf.tensor(v, shape), tf.tensor(step, scalar ? [] : [step.length])];
    const sum = tf.grads((...[x, s]: tf.Tensor[]) => tf.sum(tf.mul(weights, quantize(x ?? values, s ?? steps))));
    const [byValues, bySteps] = sum([values, steps]);
    const numbers = (tensor: tf.Tensor | undefined) => [...(tensor?.dataSync() ?? [])];
    return { y: numbers(quantize(values, steps)), byValues: numbers(byValues), bySteps: numbers(bySteps) };
  });
}

const close = (values: number[]) => values.map((value) => expect.closeTo(value, 4));

describe("fake quantization", () => {
  // s = 0.5, levels -1, 0, 1: v / s is -2.4, -0.8, 0.5, 1.4 and 3, rounded (halves to even) -2, -1, 0, 1 and 3.
  const case1 = { v: [-1.2, -0.4, 0.25, 0.7, 1.5], shape: [5, 1], step: [0.5], scalar: true };
  const byHand = { ...case1, dy: [1, 10, 100, 1000, 10_000], low: -1, high: 1, count: 4 };

  it("rounds to the levels, and lets the gradient through where the rounded value is one of them", () => {
    const { y, byValues, bySteps } = run(straightThrough, byHand);
    expect(y).toEqual([-0.5, -0.5, 0, 0.5, 0.5]);
    expect(byValues).toEqual([0, 10, 100, 1000, 0]);
    expect(bySteps).toEqual([0]);
  });

  it("learns a step from what rounding loses inside and from the last level outside", () => {
    const { y, byValues, bySteps } = run(learnedStep, byHand);
    expect(y).toEqual([-0.5, -0.5, 0, 0.5, 0.5]);
    expect(byValues).toEqual([0, 10, 100, 0, 0]);
    // -1 + 10 (-1 + 0.8) + 100 (0 - 0.5) + 1000 + 10000, times 1 / sqrt(4 * 1).
    expect(bySteps).toEqual([expect.closeTo((-1 - 2 - 50 + 1000 + 10_000) / 2, 2)]);
  });

  it.each(oracle)("is that of torch: $name", (expected) => {
    const [fixed, learned] = [run(straightThrough, expected), run(learnedStep, expected)];
    expect(fixed.y).toEqual(close(expected.y));
    expect(fixed.byValues).toEqual(close(expected.steDv));
    expect(learned.y).toEqual(close(expected.lsqY));
    expect(learned.byValues).toEqual(close(expected.lsqDv));
    expect(learned.bySteps).toEqual(close(expected.lsqDs));
  });
});
