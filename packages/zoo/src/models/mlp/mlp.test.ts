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

  it.each([
    ["token ids", { inputShape: [32], vocabulary: 81 }, "not [32] of 81 tokens"],
    ["single numbers in a row", { inputShape: [64] }, "not [64]"],
  ])("refuses %s at the family", (_what, shape, message) => {
    const problem = `a mlp takes rows [steps, features] or images [height, width, channels], ${message}`;
    const refused = expect.objectContaining({
      code: "invalid_request",
      issues: [{ path: "family", message: problem }],
    });
    expect(() => buildModel("mlp", {}, { ...shape, classes: 10, seed: 1 })).toThrow(refused);
  });
});
