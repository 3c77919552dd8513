import type { JobResult, Manifest } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, testJobKind, type JobBench } from "../../testing.ts";
import type { Evidence } from "../evidence.ts";

const training = { epochs: 3, batchSize: 32, optimizer: { type: "adam", learningRate: 0.005 } };
const params = { model: "tiny-base", method: "aware", bits: 2, calibration: { samples: 64 }, training };

const short = { ...training, epochs: 1, batchSize: 128 };
testJobKind("quantize", {
  params: { ...params, training: short },
  reseeded: { ...params, training: { ...short, seed: 4 } },
});

describe("quantization-aware training", () => {
  let bench: JobBench;
  const logs: string[] = [];
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  const quantized = async (changed: Record<string, unknown>): Promise<Manifest> => {
    logs.length = 0;
    const emit = (event: { type: string; message?: string }) => event.type === "log" && logs.push(event.message ?? "");
    const { artifact }: JobResult = await bench.run("quantize", { ...params, ...changed }, { emit });
    return bench.store.manifest(artifact?.digest ?? "");
  };

  it.each(["ste", "lsq"])("answers better than quantization alone does, with %s", async (quantizer) => {
    const alone = await quantized({ method: "static", training: undefined });
    const trained = await quantized({ training: { ...training, quantizer } });
    expect(trained.metrics.loss).toBeLessThan((alone.metrics.loss ?? 0) * 0.9);
    expect(trained.config.compression?.quantization).toMatchObject({ method: "aware", bits: 2, calibrator: "minmax" });
    expect(trained.files.map(({ path }) => path)).toEqual(["model.onnx", "quantization.json"]);
    const file = await bench.store.readFile(trained, "quantization.json");
    const { untrained, quantized: after }: Evidence = JSON.parse(new TextDecoder().decode(file));
    expect(after.loss).toBeLessThan(untrained?.loss ?? 0);
  });

  it("runs as one graph, then in integers alone, which predict as it did", { tags: ["tensorflow"] }, async () => {
    await quantized({ granularity: "tensor", bits: 8, training: { ...training, recovery: "distill" } });
    expect(logs.join("\n")).toMatch(/steps as one graph/);
    expect(logs.join("\n")).toMatch(/runs it as 1 QuantizeLinear, 1 Flatten, 2 QGemm/);
    const share = /for ([\d.]+)% of 64 samples/.exec(logs.join("\n"))?.[1];
    expect(Number(share)).toBeGreaterThanOrEqual(99.5);
  });

  it("keeps the zeros of a pruned model", async () => {
    await bench.run("prune", { model: "tiny-base", amount: 0.6 }, { id: "pruned" });
    for (const quantizer of ["ste", "lsq"]) {
      const { metrics } = await quantized({ model: "pruned", bits: 8, training: { ...training, quantizer } });
      expect(metrics.sparsity).toBeGreaterThanOrEqual(Math.round(1088 * 0.6) / 1088);
    }
  });

  it.each([
    [{ method: "static" }, "params.training"],
    [{ bits: "auto" }, "params.bits"],
    [{ bits: 1 }, "params.bits"],
    [{ scheme: "affine" }, "params.scheme"],
    [{ equalize: true }, "params.equalize"],
    [{ rounding: "adaround" }, "params.rounding"],
    [{ training: { ema: {} } }, expect.stringMatching(/^params\.training/)],
  ])("refuses what does not go with it: %o", async (changed, path) => {
    await expect(quantized(changed)).rejects.toMatchObject({ code: "invalid_request", issues: [{ path }] });
  });

  it("refuses a model that is quantized already", async () => {
    await bench.run("quantize", { model: "tiny-base" }, { id: "once" });
    await expect(quantized({ model: "once" })).rejects.toMatchObject({ issues: [{ path: "params.model" }] });
  });
});
