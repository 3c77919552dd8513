import { initEngine } from "@whittle/engine";
import { describe, expect, it } from "vitest";
import { buildModel } from "../../index.ts";

describe("cnn", () => {
  it("has the layers that its parameters say, in order", async () => {
    await initEngine();
    const params = { filters: [4, 6], batchNorm: true, dense: 16 };
    const model = buildModel("cnn", params, { inputShape: [28, 28, 1], classes: 10, seed: 1 });
    const names = model.layers.map((layer) => layer.name);
    const blocks = "conv1 norm1 relu1 pool1 conv2 norm2 relu2 pool2".split(" ");
    expect(names).toEqual([...blocks, "flatten", "dense", "dropout", "logits"]);
    // 3*3*1*4 + 16, 3*3*4*6 + 24, 7*7*6*16 + 16, 16*10 + 10.
    expect(model.countParams()).toBe(52 + 240 + 4720 + 170);
  });

  it("refuses inputs that are no images, and more blocks than the image can be halved", async () => {
    await initEngine();
    const shape = { inputShape: [8, 8, 1], classes: 2, seed: 1 };
    const flat = /takes images \[height, width, channels\], not \[64\]/;
    expect(() => buildModel("cnn", {}, { ...shape, inputShape: [64] })).toThrow(flat);
    expect(() => buildModel("cnn", { filters: [1, 1, 1, 1] }, shape)).toThrow(/at most 3 blocks/);
  });
});
