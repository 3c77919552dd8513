import { cpuInfo, type JobResult, type Manifest, type NewJobEvent } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needsReducedRange } from "@whittle/onnx/runtime";
import { openBench, testJobKind, tinyTraining, type JobBench } from "../testing.ts";
import type { Evidence } from "./evidence.ts";

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
    expect(config.compression?.quantization).toEqual({
      method: "static",
      bits,
      storedBits: 8,
      covered: 1,
      granularity: "channel",
      scheme: "symmetric",
      calibrator: "minmax",
      rounding: "nearest",
      biasCorrection: false,
      equalized: false,
    });
    expect(files.map(({ role }) => role)).toEqual(["onnx"]);
    expect(metrics.fidelity?.agreement.value).toBeGreaterThan(0.9);
    expect(metrics.fidelity?.maxDifference).toBeGreaterThan(metrics.fidelity?.meanDifference ?? 0);
  });

  it("warns where most of a recurrent model stays float, names what and why, and covers it with method weights", async () => {
    await bench.run(
      "train",
      { ...tinyTraining, family: "gru", familyParams: { units: [8] }, epochs: 1 },
      { id: "gru" },
    );
    const warnings: string[] = [];
    const emit = (event: NewJobEvent) =>
      void (event.type === "log" && event.level === "warn" && warnings.push(event.message));
    const hardly = await manifestOf(await bench.run("quantize", { model: "gru" }, { emit }));
    expect(hardly.config.compression?.quantization?.covered).toBeLessThan(0.2);
    expect(hardly.config.compression?.quantization?.layers).toEqual({
      "gru1/kernel": "float",
      "gru1/recurrent_kernel": "float",
    });
    expect(warnings.join()).toMatch(/% of the weights are quantized; in float are gru1\/.*method weights/);
    const whole = await manifestOf(await bench.run("quantize", { model: "gru", method: "weights" }));
    expect(whole.config.compression?.quantization).toMatchObject({ covered: 1, storedBits: 8 });
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

  it.each([
    [{ method: "dynamic" }, { bits: needsReducedRange(cpuInfo().flags, process.arch) ? 7 : 8, method: "dynamic" }],
    [
      { method: "weights", bits: 3 },
      { bits: 3, method: "weights" },
    ],
    [
      { method: "weights", bits: 4, granularity: "block", blockSize: 16 },
      { granularity: "block", bits: 4 },
    ],
    [{ method: "float16" }, { bits: 16, scheme: "float16" }],
    [
      { bits: 4, rounding: "adaround", biasCorrection: true, equalize: true, target: "any" },
      { bits: 4, rounding: "adaround", biasCorrection: true, equalized: true },
    ],
    [{ target: "any" }, { bits: 7 }],
  ])("quantizes with %o and says so", async (params, quantization) => {
    const { metrics, config } = await manifestOf(await bench.run("quantize", { model: "tiny-base", ...params }));
    expect(config.compression?.quantization).toMatchObject(quantization);
    expect(metrics.fidelity?.agreement.value).toBeGreaterThan(0.8);
  });

  it("rounds better with AdaRound than to the nearest where there are few bits", async () => {
    const divergences: number[] = [];
    for (const rounding of ["adaround", "nearest"]) {
      const params = { model: "tiny-base", bits: 2, rounding, method: "weights" };
      const { metrics } = await manifestOf(await bench.run("quantize", params));
      divergences.push(metrics.fidelity?.meanDifference ?? 0);
    }
    expect(divergences[0]).toBeLessThan(divergences[1] ?? 0);
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

  describe("by experiment", () => {
    const calibration = { samples: 128 };
    const reportOf = async (manifest: Manifest): Promise<Evidence> =>
      JSON.parse(new TextDecoder().decode(await bench.store.readFile(manifest, "quantization.json")));

    it("keeps the fewest bits inside the tolerance that make the file smaller, and reports the whole curve", async () => {
      const params = { model: "tiny-base", bits: "auto", tolerance: 0.02, calibration };
      const manifest = await manifestOf(await bench.run("quantize", params));
      const { bits, float, quantized, heldOutSamples } = await reportOf(manifest);
      const trials = bits?.trials ?? [];
      expect(heldOutSamples).toBe(512 - 128);
      expect(trials.map(({ setting }) => setting)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
      const bytes = trials.map((trial) => trial.bytes);
      expect(bytes).toEqual(bytes.toSorted((a, b) => b - a));
      const inside = trials.filter(({ verdict }) => verdict.accuracy >= float.accuracy - 0.02);
      const chosen = trials.find(({ setting }) => setting === bits?.chosen);
      expect(chosen?.bytes).toBeLessThanOrEqual(1.01 * Math.min(...inside.map((trial) => trial.bytes)));
      // So small a model is packed only from 2 bits down: between 8 and 3 nothing is saved.
      expect([8, 2, 1]).toContain(bits?.chosen);
      expect(manifest.config.compression?.quantization?.bits).toBe(bits?.chosen);
      expect(quantized.accuracy).toBeGreaterThanOrEqual(float.accuracy - 0.02);
      expect(manifest.files.map(({ path }) => path)).toEqual([
        "model.onnx",
        "quantization.json",
        "bits.svg",
        "sensitivity.svg",
      ]);
    });

    it("leaves the layers that cost most in more bits until the tolerance holds", async () => {
      const params = { model: "tiny-base", bits: 1, tolerance: 0.01, calibration };
      const manifest = await manifestOf(await bench.run("quantize", params));
      const { mixedPrecision, float, quantized } = await reportOf(manifest);
      expect(mixedPrecision?.sensitivity).toHaveLength(2);
      expect(Object.keys(mixedPrecision?.assignment ?? {}).length).toBeGreaterThan(0);
      expect(quantized.accuracy).toBeGreaterThanOrEqual(float.accuracy - 0.01);
      expect(quantized.accuracy).toBe(mixedPrecision?.verdict.accuracy);
      const { bits, layers } = manifest.config.compression?.quantization ?? {};
      expect({ bits, layers: Object.values(layers ?? {}) }).not.toEqual({ bits: 1, layers: [] });
    });

    it.each([
      ["static", 3],
      ["weights", 2.5],
      ["dynamic", 4],
    ])(
      "shares a budget of bits out (%s, %d), with the curve of each layer and uniform bits beside",
      async (method, averageBits) => {
        await bench.run("train", { ...tinyTraining, familyParams: { hidden: [64] } }, { id: "wide" });
        const manifest = await manifestOf(
          await bench.run("quantize", { model: "wide", method, averageBits, calibration }),
        );
        const { bitBudget, quantized } = await reportOf(manifest);
        if (!bitBudget) throw new Error("the report has no budget of bits");
        const { curves, allocated, uniform, chosen } = bitBudget;
        expect(curves.map(({ layer, weights }) => [layer, weights])).toEqual([
          [expect.any(String), 4096],
          [expect.any(String), 256],
        ]);
        // 7 bits would save 512 bytes of the first layer, 1 bit 224 of the second: both less than what unpacking takes.
        expect(curves.map(({ points }) => points.map(({ bits }) => bits))).toEqual([[8, 6, 5, 4, 3, 2, 1], [8]]);
        expect(allocated.averageBits).toBeLessThanOrEqual(averageBits);
        expect(uniform.averageBits).toBeCloseTo((4096 * Math.floor(averageBits) + 256 * 8) / (4096 + 256), 10);
        const kept = bitBudget[chosen];
        expect(quantized).toEqual(kept.verdict);
        const inside = [allocated, uniform].filter((each) => each.averageBits <= averageBits);
        expect(quantized.divergence).toBe(Math.min(...inside.map(({ verdict }) => verdict.divergence)));
        const { bits, storedBits, layers = {} } = manifest.config.compression?.quantization ?? {};
        expect(storedBits).toBeCloseTo(kept.averageBits, 2);
        expect(storedBits).toBeLessThanOrEqual(averageBits);
        expect(Object.fromEntries(curves.map(({ layer }) => [layer, layers[layer] ?? bits]))).toEqual(kept.bits);
        expect(manifest.files.map(({ path }) => path)).toEqual([
          "model.onnx",
          "quantization.json",
          "curves.svg",
          "layers.svg",
        ]);
        for (const file of ["curves.svg", "layers.svg"]) {
          const svg = new TextDecoder().decode(await bench.store.readFile(manifest, file));
          for (const { layer } of curves) expect(svg).toContain(layer);
          expect(svg).not.toMatch(/NaN|Infinity|undefined/);
        }
      },
    );

    it("counts two bits for signs among which there are zeros, and says what is the least", async () => {
      await bench.run("prune", { model: "tiny-base", amount: 0.6 }, { id: "sparse" });
      // 1024 weights of 2 bits and 64 of 8, as they are too few to be packed.
      const refused = bench.run("quantize", { model: "sparse", averageBits: 1, calibration });
      const issue = { path: "params.averageBits", message: expect.stringContaining("at least 2.36") };
      await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [issue] });
    });

    it("keeps the calibrator whose outputs differ least from the float model's", async () => {
      const params = { model: "tiny-base", calibration: { samples: 128, method: "auto" } };
      const manifest = await manifestOf(await bench.run("quantize", params));
      const { calibrators, quantized } = await reportOf(manifest);
      const best = Math.min(...(calibrators?.trials.map(({ verdict }) => verdict.divergence) ?? []));
      expect(calibrators?.trials).toHaveLength(4);
      expect(quantized.divergence).toBe(best);
      expect(manifest.config.compression?.quantization?.calibrator).toBe(calibrators?.chosen);
    });

    it("needs training samples that it is not calibrated on", async () => {
      const refused = bench.run("quantize", { model: "tiny-base", tolerance: 0.01 });
      await expect(refused).rejects.toMatchObject({ issues: [{ path: "params.calibration.samples" }] });
    });
  });

  it.each([
    [{ method: "float16", bits: 4 }, "params.bits"],
    [{ granularity: "block" }, "params.granularity"],
    [{ rounding: "adaround", bits: 1 }, "params.rounding"],
    [{ method: "float16", tolerance: 0.1 }, "params.tolerance"],
    [{ method: "weights", calibration: { method: "auto" } }, "params.calibration.method"],
    [{ averageBits: 4, bits: 4 }, "params.bits"],
    [{ averageBits: 4, bits: "auto" }, "params.bits"],
    [{ averageBits: 4, tolerance: 0.01 }, "params.tolerance"],
    [{ averageBits: 4, method: "float16" }, "params.averageBits"],
    [{ averageBits: 4, method: "aware" }, "params.averageBits"],
    [{ averageBits: 1.5, scheme: "affine" }, "params.averageBits"],
    [{ averageBits: 1.5, rounding: "adaround" }, "params.averageBits"],
    [{ averageBits: 4, method: "weights", granularity: "block" }, "params.granularity"],
  ])("refuses settings that don't go together: %o", async (params, path) => {
    const refused = bench.run("quantize", { model: "tiny-base", ...params });
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [{ path }] });
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
