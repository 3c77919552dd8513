import type { Manifest, VersionRecord } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { reportChart, reportMarkdown, type Published } from "./index.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const at = (p50: number) => ({ p50, p95: 2 * p50 });

const record: VersionRecord = {
  name: "small",
  version: 2,
  digest: digest("a"),
  jobId: "job-1",
  createdAt: "2026-01-02T03:04:05.000Z",
  measurements: {
    latencyMs: { b1: at(0.1), b32: at(3) },
    parentLatencyMs: { b1: at(0.2), b32: at(2) },
    recommendation: { recommended: false, reasons: ["it is slower at batch 32: 3.000 ms for 2.000 ms"] },
    cpu: { model: "A CPU", flags: ["sse", "avx2", "avx512_vnni"], threads: 2 },
    trainingSeconds: 12.34,
    execution: { mode: "graph", reason: "a reason", precision: "mixed_bfloat16" },
  },
};

const manifest: Manifest = {
  schemaVersion: 1,
  config: {
    family: "mlp",
    familyParams: { hidden: [8] },
    signature: {
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
      outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
    },
    preprocessing: { scale: 2, offset: -1 },
    labels: ["cat", "a|b"],
  },
  metrics: {
    accuracy: { value: 0.8, interval: [0.7, 0.9], n: 10 },
    bytes: 2000,
    gzipBytes: 1000,
    parameters: 1500,
    macs: 600,
    perClass: [
      { label: "cat", samples: 5, correct: 4 },
      { label: "a|b", samples: 5, correct: 4 },
    ],
    comparison: {
      role: "base",
      digest: digest("b"),
      accuracy: { value: 0.9, interval: [0.8, 1], n: 10 },
      bytes: 7800,
      gzipBytes: 4000,
      parameters: 1500,
      macs: 1200,
      perClass: [
        { label: "cat", samples: 5, correct: 5 },
        { label: "a|b", samples: 5, correct: 4 },
      ],
      mcNemar: { onlyParent: 3, onlyThis: 2, pValue: 1 },
    },
    control: {
      accuracy: { value: 0.6, interval: [0.5, 0.7], n: 10 },
      mcNemar: { onlyControl: 1, onlyThis: 3, pValue: 0.625 },
    },
  },
  job: {
    kind: "quantize",
    params: {
      model: digest("b"),
      bits: 8,
      equalize: false,
      calibration: { samples: 512 },
      target: undefined,
      familyParams: { hidden: [16, 8] },
      teachers: [{ weight: 2 }],
      clip: {},
    },
  },
  data: { name: "tiny", digest: digest("c") },
  parents: [{ role: "base", digest: digest("b") }],
  versions: { whittle: "0.1.0" },
  files: [{ path: "model.onnx", role: "onnx", mediaType: "application/octet-stream", size: 2000, digest: digest("d") }],
};

const published: Published = { record, manifest, parentName: "large@1" };

describe("the report of a version", () => {
  it("sets it beside the model that it was made from, and says what speaks against it", () => {
    const text = reportMarkdown(published);
    expect(text).toContain("# small@2\n");
    expect(text).toContain("**Not recommended** in place of large@1: it is slower at batch 32");
    expect(text).toContain("|  | This model | large@1 (base) |");
    expect(text).toContain("A classifier of 2 classes, made by a job of the kind `quantize` from large@1 (base) with");
    expect(text).toContain("| Accuracy | 80.00% (70.00% to 90.00%) | 90.00% (80.00% to 100.00%) | -10.0 points |");
    expect(text).toContain("| Size as it is | 2.0 kB | 7.8 kB | 3.9x smaller |");
    expect(text).toContain("| Size gzipped | 1.0 kB | 4.0 kB | 4.0x smaller |");
    expect(text).toContain("| Latency, batch 32, p50 / p95 | 3.000 / 6.000 ms | 2.000 / 4.000 ms | 1.5x slower |");
    expect(text).toContain("| Parameters | 1,500 | 1,500 | the same |");
    expect(text).toContain("| Multiply-accumulates of a sample | 600 | 1,200 | 2.0x fewer |");
    expect(text).toContain("may be chance (McNemar's exact test, p = 1.0)");
    expect(text).toContain("without a teacher, by the same seed and settings, it has an accuracy of 60.00% (50.00% to");
    expect(text).toContain("right on 1 samples, only with the teacher on 3 (p = 0.63)");
    expect(text).toContain("on A CPU (2 threads; avx2, avx512_vnni)");
  });

  it("shows what changed in each class, and keeps to the table whatever a class is called", () => {
    expect(reportMarkdown(published)).toContain(
      "| cat | 5 | 80.00% | -20.0 points |\n| a\\|b | 5 | 80.00% | 0.0 points |",
    );
  });

  it("tells how the model is used and what it was made with", () => {
    const text = reportMarkdown(published);
    expect(text).toContain("- The family `mlp` of the zoo: hidden [8].\n");
    expect(text).toContain("Takes `x` FP32 [batch, 4]: each raw value x as x * 2 - 1.");
    expect(text).toContain("| `model.onnx` | ONNX; what is served and was measured | 2.0 kB |");
    expect(text).toContain("It was made and measured on tiny only.");
    expect(text).toContain("It is weakest at cat, of which it recognises 80.00%");
    expect(text).toContain("It can't be trained or compressed further");
    expect(text).toContain(`From its base large@1, ${digest("b")}.`);
    expect(text).toContain("- Trained for 12.3 s, steps as one graph each, in mixed_bfloat16 (a reason).\n");
  });

  it("lists the job's settings one by one, with the models by their names", () => {
    const text = reportMarkdown(published);
    const rows = ["| `model` | large@1 |", "| `bits` | 8 |", "| `equalize` | no |", "| `calibration.samples` | 512 |"];
    const lists = ["| `familyParams.hidden` | 16, 8 |", "| `teachers.0.weight` | 2 |"];
    expect(text).toContain(`| Setting | Value |\n| --- | --- |\n${[...rows, ...lists].join("\n")}\n`);
    expect(text).not.toMatch(/[{}]/);
  });

  it.each([
    [1 / 255, 0, "each raw value x as x / 255"],
    [1 / 127.5, -1, "each raw value x as x / 127.5 - 1"],
    [0.0302, 0.25, "each raw value x as x * 0.0302 + 0.25"],
    [1, 0.5, "each raw value x as x + 0.5"],
    [1, 0, "raw values as they are"],
  ])("says what is done to raw values with the scale %d and the offset %d", (scale, offset, said) => {
    const config = { ...manifest.config, preprocessing: { scale, offset } };
    expect(reportMarkdown({ ...published, manifest: { ...manifest, config } })).toContain(`[batch, 4]: ${said}.`);
  });

  it("says what was done to the weights", () => {
    const compression = {
      prunedSparsity: 0.5,
      channels: { conv1: 8, dense: 1024 },
      quantization: {
        bits: 4,
        storedBits: 4.25,
        granularity: "channel",
        scheme: "symmetric",
        method: "static",
        layers: { conv1: 8, logits: "float" as const },
        calibrator: "mse",
        rounding: "adaround",
      },
    };
    const config = { ...manifest.config, compression };
    const metrics = { ...manifest.metrics, clusters: 16 };
    const text = reportMarkdown({ ...published, manifest: { ...manifest, config, metrics } });
    expect(text).toContain("of the zoo, before channels were removed: hidden [8].");
    for (const row of [
      "| Channels left | conv1 8, dense 1,024 |",
      "| Weights made zero | 50.00% |",
      "| Different weights in a layer | at most 16 |",
      "| Weights | 4 bits, symmetric, rounded by AdaRound |",
      "| Scales | one for each output channel |",
      "| Layers that differ | conv1 8 bits, logits float |",
      "| A weight in the file | 4.25 bits on average |",
      "| Activations | 8 bits, ranges by mse |",
    ])
      expect(text).toContain(`${row}\n`);
    expect(reportMarkdown(published)).not.toContain("### Compressed");
  });

  it("is shorter for a model that was made from none", () => {
    const { comparison: _none, ...metrics } = manifest.metrics;
    const alone = { record: { ...record, measurements: {} }, manifest: { ...manifest, parents: [], metrics } };
    expect(reportMarkdown(alone)).toContain("|  | This model |\n| --- | --- |\n| Accuracy |");
    expect(reportMarkdown(alone)).not.toMatch(/undefined|NaN|ecommended/);
    expect(reportChart(alone)).toBeUndefined();
  });

  it("draws what it takes of the other model's size, time and accuracy", () => {
    const chart = reportChart(published) ?? "";
    expect(chart).toMatch(/^<svg /);
    const bars = ["accuracy", "size", "size, gzipped", "multiply-accumulates", "latency, batch 1", "latency, batch 32"];
    for (const text of ["small@2 beside large@1", ...bars, "25.6%", "150.0%", "worse", "the other model"])
      expect(chart).toContain(`>${text}</text>`);
  });
});
