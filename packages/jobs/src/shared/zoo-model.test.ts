import { datasets } from "@whittle/zoo/catalog";
import { expect, it } from "vitest";
import { buildClassifier } from "./zoo-model.ts";

it("refuses a family that can't read the samples, at the parameter that names it", () => {
  const { inputShape, labels } = datasets.udhr;
  const texts = { inputShape, labels, vocabulary: ["a", "b", "c"] };
  const build = () => buildClassifier({ family: "mlp", familyParams: {} }, texts, 0);
  expect(build).toThrow(
    expect.objectContaining({
      code: "invalid_request",
      issues: [{ path: "params.family", message: expect.stringContaining("not [32] of 3 tokens") }],
    }),
  );
});
