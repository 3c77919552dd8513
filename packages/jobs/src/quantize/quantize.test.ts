import type { JobResult, Manifest } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cpuInfo, needsReducedRange } from "@whittle/onnx/runtime";
import { openBench, testJobKind, type JobBench } from "../testing.ts";

testJobKind("quantize", { params: { model: "tiny-base", calibration: { samples: 64 } } });

const onnxOf = ({ files }: Manifest) => files.find(({ role }) => role === "onnx")?.digest;

describe("quantizing", () => {
  let bench: JobBench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  const manifestOf = ({ artifact }: JobResult): Promise<Manifest> => bench.store.manifest(artifact?.digest ?? "");

  it("gives a smaller model that is as good, and says how it was quantized", async () => {
    const base = await bench.store.manifest((await bench.store.resolve("tiny-base")).digest);
    const { metrics, config, files } = await manifestOf(await bench.run("quantize", { model: "tiny-base" }));
    expect(metrics.bytes).toBeLessThan(base.metrics.bytes ?? 0);
    const [low, high] = base.metrics.accuracy?.interval ?? [1, 0];
    expect(metrics.accuracy?.value).toBeGreaterThanOrEqual(low);
    expect(metrics.accuracy?.value).toBeLessThanOrEqual(high);
    const bits = needsReducedRange(cpuInfo().flags, process.arch) ? 7 : 8;
    expect(config.compression?.quantization).toEqual({ bits, granularity: "channel", scheme: "symmetric" });
    expect(files.map(({ role }) => role)).toEqual(["onnx"]);
  });

  it("keeps the zeros of a pruned model, with every scheme", async () => {
    await bench.run("prune", { model: "tiny-base", amount: 0.6 }, { id: "pruned" });
    for (const scheme of ["symmetric", "affine"]) {
      const { metrics, config } = await manifestOf(await bench.run("quantize", { model: "pruned", scheme }));
      expect(metrics.sparsity).toBeGreaterThanOrEqual(Math.round(1088 * 0.6) / 1088);
      expect(config.compression?.prunedSparsity).toBeCloseTo(0.6, 3);
    }
  });

  it("loses more with fewer bits", async () => {
    const losses: number[] = [];
    for (const bits of [8, 4, 2]) {
      const { metrics } = await manifestOf(await bench.run("quantize", { model: "tiny-base", bits }));
      losses.push(metrics.loss ?? 0);
    }
    expect(losses).toEqual(losses.toSorted((a, b) => a - b));
  });

  it("calibrates on training samples and never on test samples", async () => {
    const base = { model: "tiny-base", calibration: { samples: 32 } };
    const [whole, fewTests, fewSamples] = await Promise.all(
      [{}, { test: 7 }, { train: 16 }].map(async (limit) =>
        onnxOf(await manifestOf(await bench.run("quantize", { ...base, limit }))),
      ),
    );
    expect(fewTests).toBe(whole);
    expect(fewSamples).not.toBe(whole);
  });

  it("refuses 1 bit with a zero point, under its own path", async () => {
    const refused = bench.run("quantize", { model: "tiny-base", bits: 1, scheme: "affine" });
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [{ path: "params.bits" }] });
  });

  it("refuses a model that is quantized already, and names the one it was made from", async () => {
    await bench.run("quantize", { model: "tiny-base" }, { id: "once" });
    const { digest } = await bench.store.resolve("tiny-base");
    const refused = bench.run("quantize", { model: "once", bits: 4 });
    await expect(refused).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "params.model", message: expect.stringContaining(digest) }],
    });
  });
});
