import type { Manifest } from "@whittle/contracts";
import { initEngine, loadModel, modelWeights, type ModelWeights } from "@whittle/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, testJobKind, type JobBench } from "../testing.ts";
import { definition } from "./contract.ts";

const fineTune = { epochs: 2, batchSize: 32, optimizer: { type: "sgd", learningRate: 0.05 } };
const params = { model: "tiny-base", amount: 0.5, fineTune: { ...fineTune, seed: 1 } };

testJobKind("prune", { params, reseeded: { ...params, fineTune: { ...fineTune, seed: 2 } } });

const total = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);

describe("pruning", () => {
  let bench: JobBench;
  beforeAll(async () => {
    await initEngine();
    bench = await openBench();
  });
  afterAll(() => bench.close());

  async function prune(cut: object): Promise<{ manifest: Manifest; weights: ModelWeights }> {
    const { artifact } = await bench.run("prune", { model: "tiny-base", ...cut });
    return weightsOf(artifact?.digest ?? "");
  }

  async function weightsOf(reference: string): Promise<{ manifest: Manifest; weights: ModelWeights }> {
    const { store } = bench;
    const manifest = await store.manifest((await store.resolve(reference)).digest);
    const [topology, weights] = [await store.readFile(manifest, "tfjs"), await store.readFile(manifest, "weights")];
    const model = await loadModel({ topology, weights });
    const read = modelWeights(model);
    model.dispose();
    return { manifest, weights: read };
  }

  const kernels = ["hidden1/kernel", "logits/kernel"];
  const zeros = (weights: ModelWeights, names = kernels) =>
    names.map((name) => weights[name]?.data.filter((weight) => weight === 0).length ?? 0);

  // The base is 64-16-4: 1024 + 64 weights.
  it("makes exactly the share zero that was asked for, and keeps it so while fine-tuning", async () => {
    for (const cut of [{ amount: 0.7 }, { amount: 0.7, fineTune }]) {
      const { weights, manifest } = await prune(cut);
      expect(total(zeros(weights))).toBe(Math.round(1088 * 0.7));
      expect(manifest.metrics.sparsity).toBeCloseTo(Math.round(1088 * 0.7) / 1088, 12);
      expect(manifest.config.compression?.prunedSparsity).toBe(manifest.metrics.sparsity);
    }
  });

  it("takes the share of each layer when local", async () => {
    const { weights } = await prune({ amount: 0.25, scope: "local" });
    expect(zeros(weights)).toEqual([256, 16]);
  });

  it("leaves the biases and the other weights as they were", async () => {
    const { weights: before } = await weightsOf("tiny-base");
    const { weights: after } = await prune({ threshold: 0.1 });
    for (const [name, { data }] of Object.entries(before)) {
      const cut = name.endsWith("kernel")
        ? data.map((weight) => (Math.abs(weight) < Math.fround(0.1) ? 0 : weight))
        : data;
      expect(after[name]?.data).toEqual(cut);
    }
  });

  it("trains what is left", async () => {
    const [cut, tuned] = [await prune({ amount: 0.5 }), await prune({ amount: 0.5, fineTune })];
    expect(tuned.weights["hidden1/kernel"]?.data).not.toEqual(cut.weights["hidden1/kernel"]?.data);
    expect(tuned.manifest.metrics.loss).toBeLessThan(cut.manifest.metrics.loss ?? 0);
  });

  it("keeps the zeros of an earlier pruning", async () => {
    const first = await bench.run("prune", { model: "tiny-base", amount: 0.5 }, { id: "half" });
    const { weights: before } = await weightsOf(first.artifact?.digest ?? "");
    const { artifact } = await bench.run("prune", { model: "half", amount: 0.25, fineTune });
    const { weights: after } = await weightsOf(artifact?.digest ?? "");
    expect(zeros(after)).toEqual(zeros(before));
  });

  it("refuses a quantized model, saying why", async () => {
    await bench.run("quantize", { model: "tiny-base" }, { id: "int8" });
    const refused = bench.run("prune", { model: "int8", amount: 0.5 });
    await expect(refused).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "params.model", message: expect.stringContaining("it is quantized") }],
    });
  });

  it.each([
    ["none", {}],
    ["2", { amount: 0.5, threshold: 0.1 }],
    ["3", { amount: 0.5, threshold: 0.1, pattern: "2:4" }],
  ])("wants exactly one of amount, threshold and pattern, not %s", (what, cut) => {
    const { error } = definition.params.safeParse({ model: "tiny-base", ...cut });
    expect(error?.issues).toMatchObject([{ path: ["amount"], message: expect.stringContaining(what) }]);
  });
});
