import { describe, expect, it } from "vitest";
import { datasets, families, misfit, type DatasetName, type FamilyName } from "./catalog.ts";

const shapeOf = (name: DatasetName) => {
  const { inputShape, vocabulary } = datasets[name];
  return { inputShape, vocabulary: vocabulary?.length };
};

describe("a family", () => {
  it.each<[FamilyName, DatasetName]>([
    ["cnn", "fashion-mnist"],
    ["mlp", "fashion-mnist"],
    ["text-cnn", "udhr"],
    ["gru", "fashion-mnist"],
  ])("%s takes %s", (family, dataset) => {
    expect(misfit(families[family], shapeOf(dataset))).toBeUndefined();
  });

  it.each<[FamilyName, DatasetName, string]>([
    ["cnn", "udhr", "a cnn takes images [height, width, channels], not [32] of 81 tokens"],
    [
      "mlp",
      "udhr",
      "a mlp takes vectors [features], rows [steps, features] or images [height, width, channels], not [32] of 81 tokens",
    ],
    ["resnet", "udhr", "a resnet takes images [height, width, channels], not [32] of 81 tokens"],
  ])("%s does not take %s, and says what it takes", (family, dataset, problem) => {
    expect(misfit(families[family], shapeOf(dataset))).toBe(problem);
  });

  it("of sequences takes tokens only with a vocabulary, and numbers only without", () => {
    const { transformer } = families;
    expect(misfit(transformer, { inputShape: [12] })).toMatch(/a vocabulary, .*, not \[12\] without a vocabulary$/);
    expect(misfit(transformer, { inputShape: [12, 3], vocabulary: 5 })).toMatch(/, not \[12, 3\] of 5 tokens$/);
    expect(misfit(transformer, { inputShape: [12, 3] })).toBeUndefined();
  });

  it("takes its own examples", () => {
    for (const family of Object.values(families))
      for (const example of family.examples) expect(misfit(family, example)).toBeUndefined();
  });
});
