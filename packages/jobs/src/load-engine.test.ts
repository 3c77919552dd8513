import { loadDataset } from "@whittle/zoo";
import { families, familyName, productsOf } from "@whittle/zoo/catalog";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { analyse } from "@whittle/onnx";
import { catalog } from "./catalog.ts";
import { macsPerProduct } from "./load-engine.ts";
import { onnxOf } from "./shared/draft.ts";
import { buildClassifier } from "./shared/zoo-model.ts";
import { openBench, tinyTraining, type JobBench } from "./testing.ts";

let bench: JobBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const examples = familyName.options.flatMap((family) =>
  families[family].products ? families[family].examples.map((example) => ({ family, ...example })) : [],
);

it.each(examples)(
  "$family counts the multiply-accumulates of each product: $params",
  ({ family, params, inputShape }) => {
    const labels = ["a", "b", "c"];
    const model = buildClassifier({ family, familyParams: params }, { inputShape, labels }, 1);
    const signature = {
      inputs: [{ name: "input", datatype: "FP32" as const, shape: [-1, ...inputShape] }],
      outputs: [{ name: "logits", datatype: "FP32" as const, shape: [-1, labels.length] }],
    };
    const products = productsOf({ family, familyParams: params }, { inputShape, classes: labels.length });
    expect(products?.reduce((sum, each) => sum + each, 0)).toBe(analyse(onnxOf(model, signature)).macs);
    model.dispose();
  },
);

describe("the mean product of a job's training step", () => {
  const dataset = (name: string) => loadDataset(name);
  const of = (kind: string, params: Record<string, unknown>) =>
    macsPerProduct(catalog[kind]!, params, { store: bench.store, dataset });

  it("is that of the model that is built", async () => {
    const { inputShape, labels } = await dataset("tiny");
    const size = inputShape.reduce((product, length) => product * length, 1);
    expect(await of("train", tinyTraining)).toBe(((size * 16 + 16 * labels.length) / 2) * 16);
    expect(await of("train", { ...tinyTraining, family: "lstm", familyParams: {} })).toBeUndefined();
  });

  it("is that of the model that is trained on, as it was measured", async () => {
    const { digest: model } = await bench.store.resolve("tiny-base");
    const { macs = 0 } = (await bench.store.manifest(model)).metrics;
    expect(macs).toBeGreaterThan(0);
    expect(await of("prune", { model, fineTune: { batchSize: 32 } })).toBe((macs / 2) * 32);
    expect(await of("quantize", { model, method: "aware", training: { batchSize: 8 } })).toBe((macs / 2) * 8);
    expect(await of("quantize", { model })).toBe((macs / 2) * 128);
  });
});
