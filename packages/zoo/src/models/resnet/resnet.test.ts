import { initEngine, predict, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { buildModel } from "../../index.ts";

describe("resnet", () => {
  beforeAll(() => initEngine());

  const cifar = { inputShape: [32, 32, 3], classes: 10, seed: 1 };
  const trained = (model: tf.LayersModel) =>
    model.trainableWeights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape.map(Number)), 0);

  it.each([
    // The sizes of He et al., table 6, to the digits given there.
    [20, 0.27],
    [32, 0.46],
    [44, 0.66],
    [56, 0.85],
  ])("of depth %i has the paper's %f million parameters, in as many layers", (depth, millions) => {
    const model = buildModel("resnet", { depth, shortcut: "padding" }, cifar);
    const weighted = model.layers.filter((layer) => ["Conv2D", "Dense"].includes(layer.getClassName()));
    expect(weighted.length).toBe(depth);
    expect((trained(model) / 1e6).toFixed(2)).toBe(millions.toFixed(2));
  });

  it("is by default the ResNet-8 of MLPerf Tiny", () => {
    const model = buildModel("resnet", {}, cifar);
    // Three projections beside 7 convolutions and the logits; MLPerf's 78,666 parameters have a bias for each of the 304 filters before a
    // normalization and none of the 2 x 96 trained numbers of the normalized projections.
    expect(model.layers.filter((layer) => layer.getClassName() === "Conv2D").length).toBe(7 + 2);
    expect(trained(model)).toBe(
      432 + 2 * 2304 + 4608 + 9216 + 512 + 18_432 + 36_864 + 2048 + 2 * (3 * 16 + 3 * 32 + 3 * 64) + 650,
    );
  });

  it("passes a value around its blocks: every second row and column, and zeros for the new channels", () => {
    const model = buildModel(
      "resnet",
      { filters: 2, shortcut: "padding" },
      { inputShape: [8, 8, 1], classes: 3, seed: 1 },
    );
    for (const layer of model.layers.filter(({ name }) => name.endsWith("_b_norm"))) {
      layer.setWeights(layer.getWeights().map((weight) => tf.zerosLike(weight)));
    }
    const inner = (name: string) => tf.model({ inputs: model.inputs, outputs: model.getLayer(name).output });
    const x = tf.randomUniform([2, 8, 8, 1], 0, 1, "float32", 1);
    const stem = predict(inner("stem_relu"), x);
    const picked = tf.stridedSlice(stem, [0, 0, 0, 0], stem.shape, [1, 4, 4, 1]).mean([1, 2]);
    const expected = tf.concat([picked, tf.zeros([2, 6])], 1);
    const difference = predict(inner("average"), x).sub(expected).abs().max().dataSync()[0];
    expect(difference).toBeLessThan(1e-6);
    expect(picked.max().dataSync()[0]).toBeGreaterThan(0.01);
  });

  it("refuses depths that no number of blocks gives, and images that can't be halved twice", () => {
    expect(() => buildModel("resnet", { depth: 18 }, cifar)).toThrow(/depth must be 6n \+ 2/);
    expect(() => buildModel("resnet", {}, { ...cifar, inputShape: [3, 32, 3] })).toThrow(/at least 4 x 4, not 3 x 32/);
    expect(() => buildModel("resnet", {}, { ...cifar, inputShape: [784] })).toThrow(/takes images .*, not \[784\]/);
  });
});
