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
  },
};

const manifest: Manifest = {
  schemaVersion: 1,
  config: {
    family: "mlp",
    familyParams: {},
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
    perClass: [
      { label: "cat", samples: 5, correct: 4 },
      { label: "a|b", samples: 5, correct: 4 },
    ],
    comparison: {
      role: "base",
      digest: digest("b"),
      accuracy: { value: 0.9, interval: [0.8, 1], n: 10 },
      gzipBytes: 4000,
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
  job: { kind: "quantize", params: { bits: 8 } },
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
    expect(text).toContain("| Accuracy | 80.00% (70.00% to 90.00%) | 90.00% (80.00% to 100.00%) |");
    expect(text).toContain("| Size gzipped | 1.0 KB | 4.0 KB |");
    expect(text).toContain("| Latency, batch 32, p50 / p95 | 3.000 / 6.000 ms | 2.000 / 4.000 ms |");
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
    expect(text).toContain("Takes `x` FP32 [-1, 4], where -1 is the batch, each raw value x as x * 2 + -1.");
    expect(text).toContain("### Formats\n\n- `model.onnx`: ONNX; what is served and was measured.\n");
    expect(text).toContain("It was made and measured on tiny only.");
    expect(text).toContain(`base: ${digest("b")}`);
    expect(text).toContain('"bits": 8');
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
    for (const text of ["small@2 beside large@1", "accuracy", "size, gzipped", "latency, batch 1", "latency, batch 32"])
      expect(chart).toContain(text);
  });
});
