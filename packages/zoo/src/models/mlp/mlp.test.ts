import { initEngine, modelWeights, predict, tf } from "@whittle/engine";
import { describe, expect, it } from "vitest";
import { buildModel } from "../../index.ts";

describe("mlp", () => {
  it("is the 784-128-10 network by default for 28 x 28 images of 10 classes", async () => {
    await initEngine();
    const model = buildModel("mlp", {}, { inputShape: [28, 28, 1], classes: 10, seed: 1 });
    const shapes = Object.entries(modelWeights(model)).map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([
      ["hidden1/kernel", [784, 128]],
      ["hidden1/bias", [128]],
      ["logits/kernel", [128, 10]],
      ["logits/bias", [10]],
    ]);
    expect(model.countParams()).toBe(101_770);
  });

  it("takes vectors as they are", async () => {
    await initEngine();
    const model = buildModel("mlp", { hidden: [] }, { inputShape: [5], classes: 3, seed: 1 });
    expect(model.layers.map(({ name }) => name)).toEqual(["logits"]);
    const [kernel, bias] = Object.values(modelWeights(model)).map(({ data }) => data);
    const x = [1, -2, 3, 0.5, 0];
    const logits = Array.from({ length: 3 }, (_, unit) =>
      x.reduce((sum, value, at) => sum + value * (kernel?.[at * 3 + unit] ?? 0), bias?.[unit] ?? 0),
    );
    const answer = predict(model, tf.tensor([x])).dataSync();
    for (const [at, logit] of logits.entries()) expect(answer[at]).toBeCloseTo(logit, 5);
  });

  it("refuses token ids at the family", () => {
    const problem =
      "a mlp takes vectors [features], rows [steps, features] or images [height, width, channels], not [32] of 81 tokens";
    const refused = expect.objectContaining({
      code: "invalid_request",
      issues: [{ path: "family", message: problem }],
    });
    const texts = { inputShape: [32], vocabulary: 81, classes: 10, seed: 1 };
    expect(() => buildModel("mlp", {}, texts)).toThrow(refused);
  });
});
