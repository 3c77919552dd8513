import type { Manifest, NewJobEvent } from "@whittle/contracts";
import { initEngine, loadModel, modelWeights } from "@whittle/engine";
import { classify, createSession } from "@whittle/onnx/runtime";
import { loadDataset, toFloat } from "@whittle/zoo";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openBench, testJobKind, tinyTraining, type JobBench } from "../../testing.ts";
import { definition } from "../contract.ts";

const counts = z.strictObject({ macs: z.number(), parameters: z.number() });
const point = z.strictObject({ removed: z.number(), accuracy: z.number() });
const reportFile = z.strictObject({
  before: counts,
  after: counts,
  layers: z.array(z.strictObject({ layer: z.string(), before: z.number(), after: z.number() })),
  opaque: z.array(z.strictObject({ layer: z.string(), reason: z.string() })),
  sensitivity: z.array(z.strictObject({ layers: z.array(z.string()), points: z.array(point) })).optional(),
});

const fineTune = { epochs: 2, batchSize: 32, optimizer: { type: "adam", learningRate: 0.01 } };
const base = { model: "tiny-base", method: "structured", amount: 0.5, roundTo: 1 };
const params = { ...base, rounds: 2, recovery: "distill", score: "taylor", fineTune: { ...fineTune, seed: 1 } };

testJobKind("prune", { params, reseeded: { ...params, fineTune: { ...fineTune, seed: 2 } } });

describe("structured pruning", () => {
  let bench: JobBench;
  beforeAll(async () => {
    await initEngine();
    bench = await openBench();
    const cnn = { filters: [16, 8], dense: 16, dropout: 0, batchNorm: true };
    await bench.run("train", { ...tinyTraining, family: "cnn", familyParams: cnn }, { id: "tiny-cnn" });
  });
  afterAll(() => bench.close());

  interface Result {
    manifest: Manifest;
    shapes: Record<string, number[]>;
    report: z.infer<typeof reportFile>;
    metrics: Record<string, unknown>;
    log: string[];
  }

  async function prune(given: object, id?: string): Promise<Result> {
    const { store } = bench;
    const log: string[] = [];
    const emit = (event: NewJobEvent) => event.type === "log" && log.push(event.message);
    const { artifact, metrics } = await bench.run("prune", { ...base, ...given }, { emit, ...(id && { id }) });
    const manifest = await store.manifest(artifact?.digest ?? "");
    const [topology, weights] = [await store.readFile(manifest, "tfjs"), await store.readFile(manifest, "weights")];
    const model = await loadModel({ topology, weights });
    const shapes = Object.fromEntries(Object.entries(modelWeights(model)).map(([name, { shape }]) => [name, shape]));
    model.dispose();
    const report = reportFile.parse(JSON.parse(new TextDecoder().decode(await store.readFile(manifest, "report"))));
    return { manifest, shapes, report, metrics, log };
  }

  it("removes hidden units from the layer that makes them and the one that reads them", async () => {
    const { shapes, manifest, metrics, log } = await prune({});
    expect(shapes).toEqual({
      "hidden1/kernel": [64, 8],
      "hidden1/bias": [8],
      "logits/kernel": [8, 4],
      "logits/bias": [4],
    });
    const countsOf = (width: number) => ({ macs: 68 * width, parameters: 68 * width + width + 4 });
    expect(metrics["pruning"]).toEqual({ before: countsOf(16), after: countsOf(8) });
    expect(manifest.metrics).toMatchObject(countsOf(8));
    expect(log).toContain("hidden1: 8 of 16 channels are left");
  });

  it("removes filters with their batch normalization and, over the flattening, the weights that read them", async () => {
    const { shapes, report, manifest } = await prune({ model: "tiny-cnn", score: "batch-norm" });
    expect(shapes).toMatchObject({
      "conv1/kernel": [3, 3, 1, 8],
      "norm1/moving_variance": [8],
      "conv2/kernel": [3, 3, 8, 4],
      "norm2/gamma": [4],
      "dense/kernel": [2 * 2 * 4, 8],
      "logits/kernel": [8, 4],
    });
    const layers = [
      { layer: "conv1", before: 16, after: 8 },
      { layer: "conv2", before: 8, after: 4 },
      { layer: "dense", before: 16, after: 8 },
    ];
    expect(report).toMatchObject({ layers, opaque: [] });
    expect(manifest.config.compression).toEqual({ channels: { conv1: 8, conv2: 4, dense: 8 } });
  });

  it.each(["macs", "parameters"] as const)("takes away at least the share of the %s that was asked for", async (of) => {
    const { report } = await prune({ model: "tiny-cnn", of, amount: 0.6, roundTo: 2 });
    const { before, after } = report;
    expect(1 - after[of] / before[of]).toBeGreaterThanOrEqual(0.6);
    expect(1 - after[of] / before[of]).toBeLessThan(0.85);
  });

  it("says how much can go at most when more was asked for", async () => {
    const refused = prune({ of: "parameters", amount: 0.9, roundTo: 8 });
    const message = expect.stringMatching(/^at most 49\.\d+% of the parameters .* not 90\.00%$/);
    await expect(refused).rejects.toMatchObject({ issues: [{ path: "params.amount", message }] });
  });

  it("says so too where roundTo keeps far more channels than asked for, and rounds where it does not", async () => {
    // 16, 8 and 16 channels, of which 8, 4 and 8 stay at least: 10 is the half of that.
    const refused = prune({ model: "tiny-cnn", amount: 0.76, roundTo: 8 });
    const message = "at most 50.00% of the channels can be taken away (roundTo 8), not 76.00%";
    await expect(refused).rejects.toMatchObject({ issues: [{ path: "params.amount", message }] });
    const { manifest } = await prune({ model: "tiny-cnn", amount: 0.75, roundTo: 8 });
    expect(manifest.config.compression).toEqual({ channels: { conv1: 8, conv2: 4, dense: 8 } });
    await expect(prune({ amount: 0.999, roundTo: 256 })).rejects.toMatchObject({ code: "invalid_request" });
  });

  it("gives a model that is quantized and answers as any other", async () => {
    await prune({ model: "tiny-cnn", fineTune }, "small-cnn");
    const { artifact } = await bench.run("quantize", { model: "small-cnn" });
    const manifest = await bench.store.manifest(artifact?.digest ?? "");
    const { test, inputShape } = await loadDataset("tiny");
    const session = await createSession(await bench.store.readFile(manifest, "onnx"));
    const { predictions } = await classify(session, toFloat(test, manifest.config.preprocessing), inputShape, 64);
    await session.release();
    const correct = predictions.filter((prediction, at) => prediction === test.y[at]).length;
    expect(correct / test.count).toBeGreaterThan(0.7);
    expect(manifest.metrics.accuracy?.value).toBe(correct / test.count);
  });

  it("goes on from its own result, counting from what is there", async () => {
    await prune({ amount: 0.25 }, "twelve");
    const { shapes } = await prune({ model: "twelve", amount: 0.5 });
    expect(shapes["hidden1/kernel"]).toEqual([64, 6]);
  });

  it("keeps the zeros of an earlier pruning while it fine-tunes", async () => {
    await bench.run("prune", { model: "tiny-base", amount: 0.5 }, { id: "sparse" });
    const { manifest } = await prune({ model: "sparse", fineTune });
    expect(manifest.metrics.sparsity).toBeGreaterThan(0.2);
    expect(manifest.config.compression?.prunedSparsity).toBe(manifest.metrics.sparsity);
  });

  it("draws the accuracy over the share of each layer that is removed", async () => {
    const { report, manifest } = await prune({ model: "tiny-cnn", sensitivity: true });
    const { sensitivity = [] } = report;
    expect(sensitivity.map(({ layers }) => layers)).toEqual([["conv1"], ["conv2"], ["dense"]]);
    for (const { points } of sensitivity) {
      expect(points.map(({ removed }) => removed)).toEqual([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]);
      expect(points[0]?.accuracy).toBeGreaterThan(0.7);
    }
    expect(manifest.files.map(({ path }) => path)).toContain("sensitivity.svg");
  });

  it("refuses what can't be, naming the field", async () => {
    const at = (path: string, message: string) => ({ issues: [{ path, message: expect.stringContaining(message) }] });
    await expect(prune({ score: "batch-norm" })).rejects.toMatchObject(at("params.score", "needs batch normalization"));
    await bench.run("train", { ...tinyTraining, familyParams: { hidden: [] } }, { id: "linear" });
    await expect(prune({ model: "linear" })).rejects.toMatchObject(
      at("params.model", "no channels that can be removed"),
    );
  });

  it.each([
    [{ amount: 1 }, "amount", "below 1"],
    [{ amount: undefined }, "amount", "expected number"],
    [{ of: "seconds" }, "of", "channels, macs, parameters, latency"],
    [{ score: "l3" }, "score", "taylor"],
    [{ rounds: 2 }, "rounds", "needs fineTune"],
    [{ recovery: "distill" }, "recovery", "needs fineTune"],
    [{ method: "magic" }, "method", "wanda or structured"],
    [{ threshold: 0.1 }, "", "threshold"],
  ])("refuses %j", (given, path, message) => {
    const { error } = definition.params.safeParse({ ...base, ...given });
    const issues = error?.issues.map((issue) => ({ path: issue.path.join("."), message: issue.message }));
    expect(issues).toEqual([{ path, message: expect.stringContaining(message) }]);
  });
});
