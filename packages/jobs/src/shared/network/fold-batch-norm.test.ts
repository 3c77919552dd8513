import { initEngine, predict } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { foldBatchNorms } from "./fold-batch-norm.ts";
import { buildNetwork, networkOf, separateActivations } from "./network.ts";
import { meanDifference, normalizedModels } from "./testing.ts";

describe.each(normalizedModels)("a $name", ({ build }) => {
  beforeAll(() => initEngine());

  it("computes the same without batch normalization and with its activations apart", async () => {
    const { model, x } = build();
    const rewritten = await buildNetwork(separateActivations(foldBatchNorms(networkOf(model))));
    const classes = rewritten.layers.map((layer) => layer.getClassName());
    expect(classes).not.toContain("BatchNormalization");
    expect(meanDifference(predict(model, x), predict(rewritten, x))).toBeLessThan(1e-5);
  });
});
