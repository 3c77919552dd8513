import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { evaluate, predict } from "./evaluate.ts";
import { tinyModel } from "./testing.ts";

beforeAll(() => initEngine());

/** Gives its input back: the samples are the logits. */
function identity(): tf.LayersModel {
  return tf.sequential({ layers: [tf.layers.activation({ activation: "linear", inputShape: [2] })] });
}

const logits = [
  [0, 0],
  [Math.log(3), 0],
  [0, Math.log(3)],
];

describe("evaluate", () => {
  it("gives the mean cross-entropy and the share that is right, over unequal batches", async () => {
    // Softmax gives (1/2, 1/2), (3/4, 1/4), (1/4, 3/4); the first logit wins a tie.
    const y = tf.tensor1d([1, 0, 1], "int32");
    const evaluation = await evaluate(identity(), tf.tensor2d(logits), y, { batchSize: 2 });
    expect(evaluation.loss).toBeCloseTo((Math.log(2) + 2 * Math.log(4 / 3)) / 3, 6);
    expect(evaluation).toMatchObject({ accuracy: 2 / 3, correct: 2, samples: 3 });
  });

  it("ends on an abort", async () => {
    const x = tf.tensor2d(logits);
    const cancelled = evaluate(identity(), x, tf.zeros([3], "int32"), { signal: AbortSignal.abort() });
    await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("predict", () => {
  it("gives the same in batches of any size, without dropout", () => {
    const model = tinyModel(0.5);
    const x = tf.randomNormal([10, 2], 0, 1, "float32", 1);
    const before = tf.memory().numTensors;
    const whole = predict(model, x);
    expect(tf.memory().numTensors).toBe(before + 1);
    expect(whole.shape).toEqual([10, 3]);
    const inParts = [...predict(model, x, 3).dataSync()];
    expect(inParts).toEqual([...whole.dataSync()].map((value) => expect.closeTo(value, 5)));
  });

  it("holds the inner values of one batch at a time", async () => {
    const wide = tf.sequential({
      layers: [tf.layers.dense({ units: 2048, inputShape: [2] }), tf.layers.dense({ units: 3 })],
    });
    const x = tf.ones([256, 2]);
    const peak = async (size: number) => (await tf.profile(() => predict(wide, x, size))).peakBytes;
    expect(await peak(16)).toBeLessThan((await peak(256)) / 2);
  });

  it("refuses no samples", () => {
    expect(() => predict(tinyModel(), tf.zeros([0, 2]))).toThrow(expect.objectContaining({ code: "invalid_request" }));
  });
});
