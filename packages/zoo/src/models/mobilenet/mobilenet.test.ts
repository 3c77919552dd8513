import { initEngine, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { buildModel } from "../../index.ts";

describe("mobilenet", () => {
  beforeAll(() => initEngine());

  const cifar = { inputShape: [32, 32, 3], classes: 10, seed: 1 };
  const trained = (model: tf.LayersModel) =>
    model.trainableWeights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape.map(Number)), 0);

  it("has at width 1 as many parameters as torchvision's mobilenet_v2 of 10 classes", () => {
    expect(trained(buildModel("mobilenet", { width: 1 }, cifar))).toBe(2_236_682);
  });

  it("halves images of 28 and of 32 pixels three times, down to 4", () => {
    for (const side of [28, 32]) {
      const model = buildModel("mobilenet", {}, { ...cifar, inputShape: [side, side, 1] });
      expect(model.getLayer("features_relu").output).toMatchObject({ shape: [null, 4, 4, 1280] });
    }
  });

  it("adds the input of a block where height, width and channels stay", () => {
    const stages = [
      { expansion: 1, filters: 16, blocks: 2 },
      { expansion: 2, filters: 24, blocks: 2, stride: 2 },
      { expansion: 1, filters: 24, blocks: 1 },
    ];
    const model = buildModel("mobilenet", { width: 1, stages }, cifar);
    const added = model.layers.map(({ name }) => name).filter((name) => name.endsWith("_add"));
    expect(added).toEqual(["stage1_block2_add", "stage2_block2_add", "stage3_block1_add"]);
  });

  it.each([
    // 32 times the width, to a multiple of 8 that is never more than 10% below it.
    [0.05, 8],
    [0.35, 16],
    [0.5, 16],
    [0.6, 24],
    [0.75, 24],
    [1.3, 40],
  ])("rounds the channels of width %f to %i", (width, channels) => {
    const model = buildModel("mobilenet", { width, stages: [{ filters: 8 }], features: 8 }, cifar);
    expect(model.getLayer("stem_conv").output).toMatchObject({ shape: [null, 32, 32, channels] });
  });

  it("refuses images that can't be halved as often as the stages say", () => {
    const small = { ...cifar, inputShape: [4, 4, 3] };
    expect(() => buildModel("mobilenet", {}, small)).toThrow(/halves 3 times: they must be at least 8 x 8, not 4 x 4/);
  });
});
