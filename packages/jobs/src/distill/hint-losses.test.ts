import { readFile } from "node:fs/promises";
import { initEngine, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { averagedLogits, distillationLoss } from "../shared/distillation.ts";
import { attentionLoss, featureLoss } from "./hint-losses.ts";

const values = z.array(z.number());
const pair = z.object({ student: values, teacher: values, loss: z.number(), gradient: values });
const fixture = z.object({
  features: pair.extend({ projection: values, projectionGradient: values }),
  attention: pair,
  teachers: z.array(
    z.object({
      temperature: z.number(),
      alpha: z.number(),
      teachers: z.array(values),
      weights: values,
      labels: values,
      student: values,
      loss: z.number(),
      gradient: values,
    }),
  ),
});
const torch = fixture.parse(JSON.parse(await readFile(new URL("fixtures/torch-hints.json", import.meta.url), "utf8")));

beforeAll(async () => {
  await initEngine();
});

const near = (expected: number[], digits: number) => expected.map((value) => expect.closeTo(value, digits));
const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];

describe("featureLoss", () => {
  it("agrees with a case worked by hand", () => {
    // (1, 2) W = (1 + 2, 2 * 2) = (3, 4); its distance from (1, 5) is (2, -1), so (4 + 1) / 2.
    const loss = featureLoss(tf.tensor2d([[1, 2]]), tf.tensor2d([[1, 5]]), tf.tensor2d([1, 0, 1, 2], [2, 2]));
    expect(numbers(loss)).toEqual([2.5]);
  });

  it("gives torch's loss and gradients", () => {
    const { student, teacher, projection, loss, gradient, projectionGradient } = torch.features;
    const target = tf.tensor4d(teacher, [3, 2, 2, 5]);
    const { value, grads } = tf.valueAndGrads((own, matrix) => featureLoss(own, target, matrix.as2D(4, 5)))([
      tf.tensor4d(student, [3, 2, 2, 4]),
      tf.tensor2d(projection, [4, 5]),
    ]);
    expect(numbers(value)).toEqual(near([loss], 5));
    expect(grads.map(numbers)).toEqual([near(gradient, 6), near(projectionGradient, 6)]);
  });
});

describe("attentionLoss", () => {
  it("agrees with a case worked by hand", () => {
    // Sums of squares (9 + 16, 0) and (0, 4): directions (1, 0) and (0, 1), at a squared distance of 2. In the second sample (4, 3) and
    // (8, 6) point the same way.
    const student = tf.tensor3d([3, 4, 0, 0, 2, 0, 0, Math.sqrt(3)], [2, 2, 2]);
    const teacher = tf.tensor3d([0, 2, Math.sqrt(8), Math.sqrt(6)], [2, 2, 1]);
    expect(numbers(attentionLoss(student, teacher))).toEqual(near([1], 6));
  });

  it("gives torch's loss and gradient, also for a sample where nothing is active", () => {
    const { student, teacher, loss, gradient } = torch.attention;
    const target = tf.tensor4d(teacher, [3, 2, 2, 6]);
    const { value, grad } = tf.valueAndGrad((own: tf.Tensor) => attentionLoss(own, target))(
      tf.tensor4d(student, [3, 2, 2, 4]),
    );
    expect(numbers(value)).toEqual(near([loss], 5));
    expect(numbers(grad)).toEqual(near(gradient, 5));
  });
});

describe("the answers of several teachers", () => {
  it("have the average of their softened probabilities", () => {
    // T = 2: (2 ln 3, 0) softens to (3/4, 1/4), (0, 0) to (1/2, 1/2); with weights 1 and 3 that averages to (9/16, 7/16).
    const answers = [
      { logits: tf.tensor2d([[2 * Math.log(3), 0]]), weight: 1 },
      { logits: tf.zeros([1, 2]), weight: 3 },
    ];
    const soft = tf.softmax(averagedLogits(answers, 2).div(2));
    expect(numbers(soft)).toEqual(near([9 / 16, 7 / 16], 6));
  });

  it.each(torch.teachers)("give torch's loss and gradient at T = $temperature, alpha = $alpha", (expected) => {
    const answers = expected.teachers.map((logits, at) => ({
      logits: tf.tensor2d(logits, [4, 3]),
      weight: expected.weights[at] ?? 0,
    }));
    const target = averagedLogits(answers, expected.temperature);
    const labels = tf.tensor1d(expected.labels, "int32");
    const { value, grad } = tf.valueAndGrad((own: tf.Tensor) => distillationLoss(own, target, labels, expected))(
      tf.tensor2d(expected.student, [4, 3]),
    );
    expect(numbers(value)).toEqual(near([expected.loss], 4));
    expect(numbers(grad)).toEqual(near(expected.gradient, 5));
  });
});
