import type { Manifest } from "@whittle/contracts";
import { initEngine, loadModel, modelWeights, type ModelWeights } from "@whittle/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, testJobKind, tinyTraining, type JobBench } from "../testing.ts";

const fineTune = { epochs: 2, batchSize: 32, optimizer: { type: "adam", learningRate: 0.005 } };
const params = { model: "tiny-base", clusters: 6, fineTune: { ...fineTune, seed: 1 } };

testJobKind("cluster", { params, reseeded: { ...params, fineTune: { ...fineTune, seed: 2 } } });

describe("clustering", () => {
  let bench: JobBench;
  beforeAll(async () => {
    await initEngine();
    bench = await openBench();
  });
  afterAll(() => bench.close());

  async function cluster(given: object, id?: string): Promise<{ manifest: Manifest; weights: ModelWeights }> {
    const { artifact } = await bench.run("cluster", { model: "tiny-base", ...given }, id ? { id } : {});
    return opened(artifact?.digest ?? "");
  }

  async function opened(reference: string): Promise<{ manifest: Manifest; weights: ModelWeights }> {
    const { store } = bench;
    const manifest = await store.manifest((await store.resolve(reference)).digest);
    const [topology, weights] = [await store.readFile(manifest, "tfjs"), await store.readFile(manifest, "weights")];
    const model = await loadModel({ topology, weights });
    const read = modelWeights(model);
    model.dispose();
    return { manifest, weights: read };
  }

  const kernels = ["hidden1/kernel", "logits/kernel"];
  const counts = (weights: ModelWeights) => kernels.map((name) => new Set(weights[name]?.data).size);

  it("leaves each layer so many values, also after fine-tuning, and the file small once compressed", async () => {
    const { manifest: base } = await opened("tiny-base");
    for (const given of [{ clusters: 4 }, { clusters: 4, fineTune }]) {
      const { manifest, weights } = await cluster(given);
      expect(counts(weights)).toEqual([4, 4]);
      expect(manifest.metrics.clusters).toBe(4);
      expect(manifest.metrics.bytes).toBe(base.metrics.bytes);
      expect(manifest.metrics.gzipBytes).toBeLessThan((base.metrics.gzipBytes ?? 0) / 3);
    }
  });

  it("trains the values", async () => {
    const [still, trained] = [await cluster({ clusters: 4 }), await cluster({ clusters: 4, fineTune })];
    expect(trained.weights["hidden1/kernel"]?.data).not.toEqual(still.weights["hidden1/kernel"]?.data);
    expect(trained.manifest.metrics.loss).toBeLessThan(still.manifest.metrics.loss ?? 0);
  });

  it("keeps the zeros of a pruned model", async () => {
    await bench.run("prune", { model: "tiny-base", amount: 0.6 }, { id: "pruned" });
    const { weights: before, manifest: pruned } = await opened("pruned");
    const { weights: after, manifest } = await cluster({ model: "pruned", clusters: 8, fineTune });
    const zeros = (weights: ModelWeights) =>
      kernels.map((name) => weights[name]?.data.map((weight) => Number(weight === 0)));
    expect(zeros(after)).toEqual(zeros(before));
    expect(Math.max(...counts(after))).toBe(8);
    expect(manifest.metrics.sparsity).toBe(pruned.metrics.sparsity);
    expect(manifest.config.compression?.prunedSparsity).toBe(pruned.config.compression?.prunedSparsity);
  });

  it("folds batch normalization first, so that the exported weights share their values too", async () => {
    const cnn = { family: "cnn", familyParams: { filters: [8], dense: 0, batchNorm: true } };
    await bench.run("train", { ...tinyTraining, ...cnn, epochs: 1 }, { id: "normalized" });
    const { manifest: base } = await opened("normalized");
    const { manifest, weights } = await cluster({ model: "normalized", clusters: 4, fineTune });
    expect(Object.keys(weights).filter((name) => name.startsWith("norm"))).toEqual([]);
    expect(new Set(weights["conv1/kernel"]?.data).size).toBe(4);
    expect(manifest.metrics.bytes).toBeLessThanOrEqual(base.metrics.bytes ?? 0);
    expect(manifest.metrics.gzipBytes).toBeLessThan((base.metrics.gzipBytes ?? 0) / 2);
  });

  it("changes nothing when done again", async () => {
    const { weights } = await cluster({ clusters: 5 }, "five");
    expect((await cluster({ model: "five", clusters: 5 })).weights).toEqual(weights);
  });
});
