import { initEngine, modelWeights } from "@whittle/engine";
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
});
