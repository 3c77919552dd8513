import { initEngine } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { buildModel } from "../../index.ts";

describe("ds-cnn", () => {
  beforeAll(() => initEngine());

  it("is MLPerf Tiny's model for spotting keywords, but for the biases before the normalizations", () => {
    const model = buildModel("ds-cnn", { kernel: [10, 4] }, { inputShape: [49, 10, 1], classes: 12, seed: 1 });
    expect(model.getLayer("block4_pointwise_relu").output).toMatchObject({ shape: [null, 25, 5, 64] });
    // 24,908 parameters in MLPerf Tiny, with a bias for each of the 64 filters of 9 convolutions.
    expect(model.countParams()).toBe(24_908 - 9 * 64);
  });

  it("takes images", () => {
    const model = buildModel("ds-cnn", { blocks: 1 }, { inputShape: [32, 32, 3], classes: 10, seed: 1 });
    expect(model.getLayer("block1_pointwise_relu").output).toMatchObject({ shape: [null, 16, 16, 64] });
  });

  it("refuses what is no image", () => {
    const shape = { inputShape: [49, 10], classes: 12, seed: 1 };
    expect(() => buildModel("ds-cnn", {}, shape)).toThrow(/a ds-cnn takes images .*, not \[49, 10\]/);
  });
});
