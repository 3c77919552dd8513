import { optimizer as optimizerSchema } from "@whittle/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import torch from "./fixtures/torch_training.json" with { type: "json" };
import { createUpdateRule } from "./optimizer.ts";

beforeAll(() => initEngine());

/** The weights after each step along the gradients, one rate a step. */
function follow(settings: z.input<typeof optimizerSchema>, start: number[], gradients: number[][], rates: number[]) {
  const before = tf.memory().numTensors;
  const variable = tf.tidy(() => tf.variable(tf.tensor1d(start)));
  const rule = createUpdateRule(optimizerSchema.parse(settings), [{ name: "w", variable }]);
  const weights = gradients.map((gradient, step) => {
    const { rate, keep } = rule.live(step, rates[step] ?? Number.NaN);
    tf.tidy(() =>
      rule.update({ [variable.name]: tf.tensor1d(gradient) }, { rate: tf.scalar(rate), keep: tf.scalar(keep) }),
    );
    return [...variable.dataSync()];
  });
  rule.dispose();
  variable.dispose();
  return { weights, leaked: tf.memory().numTensors - before };
}

const near = (expected: number[]) => expected.map((value) => expect.closeTo(value, 5));

describe("update rules", () => {
  it.each(torch.optimizers)("follow PyTorch: $optimizer", ({ optimizer, rates, weights }) => {
    const followed = follow(optimizerSchema.parse(optimizer), torch.start, torch.gradients, rates);
    expect(followed.weights).toEqual(weights.map(near));
    expect(followed.leaked).toBe(0);
  });

  it("sgd takes the rate times the gradient off", () => {
    const { weights } = follow(
      { type: "sgd" },
      [1, 2],
      [
        [10, -20],
        [5, 0],
      ],
      [0.1, 0.2],
    );
    expect(weights).toEqual([near([0, 4]), near([-1, 4])]);
  });

  it("momentum keeps each gradient with the rate that it came with", () => {
    // v1 = -0.1 * 1 = -0.1; v2 = 0.5 * -0.1 - 0.01 * 1 = -0.06.
    const { weights } = follow({ type: "momentum", momentum: 0.5 }, [0], [[1], [1]], [0.1, 0.01]);
    expect(weights).toEqual([near([-0.1]), near([-0.16])]);
  });

  it("adam's first step is the rate, whatever the gradient's size", () => {
    const { weights } = follow({ type: "adam" }, [0, 0], [[1e-3, -50]], [0.01]);
    expect(weights[0]?.[0]).toBeCloseTo(-0.01, 3);
    expect(weights[0]?.[1]).toBeCloseTo(0.01, 6);
  });

  it("adam puts epsilon beside the root of the mean square, as Keras does", () => {
    // m = 0.1 g, v = 0.001 g^2, rate sqrt(0.001) / 0.1: the step is 0.01 g / (g + epsilon / sqrt(0.001)).
    const { weights } = follow({ type: "adam", epsilon: 0.1 }, [0], [[1]], [0.01]);
    expect(weights[0]?.[0]).toBeCloseTo(-0.01 / (1 + 0.1 / Math.sqrt(0.001)), 7);
  });

  it("leave a weight without a gradient alone, its decay included", () => {
    const variable = tf.variable(tf.tensor1d([3]));
    const rule = createUpdateRule(optimizerSchema.parse({ type: "adamw" }), [{ name: "w", variable }]);
    tf.tidy(() => rule.update({}, { rate: tf.scalar(1), keep: tf.scalar(0.5) }));
    expect([...variable.dataSync()]).toEqual([3]);
  });
});
