import { proportion } from "@whittle/onnx/runtime";
import type { Metrics } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { compare, perClass, recommend } from "./comparison.ts";

const names = ["cat", "dog"];
const labels = Int32Array.of(0, 0, 0, 1, 1);
const evaluationOf = (predictions: Int32Array) => {
  const correct = predictions.filter((each, i) => each === labels[i]).length;
  return { predictions, loss: 1, accuracy: proportion(correct, labels.length) };
};
const own = evaluationOf(Int32Array.of(0, 0, 1, 1, 1));
const parent = {
  role: "base" as const,
  digest: `sha256:${"0".repeat(64)}`,
  evaluation: evaluationOf(Int32Array.of(0, 1, 0, 1, 0)),
  bytes: 2000,
  gzipBytes: 900,
  parameters: 40,
  macs: 32,
  sparsity: 0.5,
};

describe("comparing a model with the one it was made from", () => {
  it("counts what each class has and what was recognised", () => {
    expect(perClass(labels, own, names)).toEqual([
      { label: "cat", samples: 3, correct: 2 },
      { label: "dog", samples: 2, correct: 2 },
    ]);
  });

  it("says how the other answers the same samples, and where only one of them is right", () => {
    expect(compare(labels, parent, own, names)).toMatchObject({
      role: "base",
      accuracy: { value: 3 / 5, n: 5 },
      bytes: 2000,
      gzipBytes: 900,
      parameters: 40,
      macs: 32,
      sparsity: 0.5,
      perClass: [{ correct: 2 }, { correct: 1 }],
      mcNemar: { onlyParent: 1, onlyThis: 2, pValue: 1 },
    });
  });
});

const at = (p50: number) => ({ p50, p95: p50 });
const latencies = (b1: number, b32: number) => ({ b1: at(b1), b32: at(b32) });
const metricsOf = (accuracy: number, pValue: number): Metrics => ({
  accuracy: { value: accuracy, interval: [0, 1], n: 1000 },
  bytes: 500,
  gzipBytes: 300,
  comparison: {
    role: "base",
    digest: parent.digest,
    accuracy: { value: 0.9, interval: [0, 1], n: 1000 },
    bytes: 2000,
    gzipBytes: 900,
    mcNemar: { onlyParent: 1, onlyThis: 1, pValue },
  },
});
const asFast = { latencyMs: latencies(1, 10), parentLatencyMs: latencies(1, 10) };

describe("recommending a compressed model", () => {
  it("takes one that is smaller, as good and as fast", () => {
    expect(recommend(metricsOf(0.9, 1), asFast)).toEqual({ recommended: true, reasons: [] });
  });

  it("holds a loss against it only where it is more than 0.5 points and no chance", () => {
    expect(recommend(metricsOf(0.896, 0.001), asFast)?.recommended).toBe(true);
    expect(recommend(metricsOf(0.89, 0.2), asFast)?.recommended).toBe(true);
    expect(recommend(metricsOf(0.89, 0.001), asFast)).toEqual({
      recommended: false,
      reasons: ["it is 1.00 points less accurate (McNemar p = 0.0010)"],
    });
  });

  it("tells where it is slower or larger", () => {
    const slow = { ...asFast, latencyMs: latencies(1.04, 14) };
    const larger = { ...metricsOf(0.9, 1), gzipBytes: 901 };
    expect(recommend(larger, slow)?.reasons).toEqual([
      "it is larger when gzipped: 901 bytes for 900",
      "it is slower at batch 32: 14.000 ms for 10.000 ms",
    ]);
  });

  it("does not take a few microseconds for slower, and shows the difference where it does", () => {
    const fastBase = { parentLatencyMs: latencies(0.012, 0.015) };
    const noise = { ...fastBase, latencyMs: latencies(0.0165, 0.0195) };
    expect(recommend(metricsOf(0.9, 1), noise)).toEqual({ recommended: true, reasons: [] });
    const slower = { ...fastBase, latencyMs: latencies(0.0165, 0.0205) };
    expect(recommend(metricsOf(0.9, 1), slower)?.reasons).toEqual(["it is slower at batch 32: 0.021 ms for 0.015 ms"]);
  });

  it("holds a larger file against it although it is smaller when gzipped", () => {
    const larger = { ...metricsOf(0.9, 1), bytes: 2001 };
    expect(recommend(larger, asFast)).toEqual({
      recommended: false,
      reasons: ["it is larger: 2001 bytes for 2000"],
    });
  });

  it("compares what an older manifest has", () => {
    const { comparison, ...metrics } = metricsOf(0.9, 1);
    const { bytes: _none, ...older } = comparison!;
    expect(recommend({ ...metrics, comparison: older }, asFast)?.recommended).toBe(true);
  });

  it("says nothing of a model that was made from none", () => {
    expect(recommend({ gzipBytes: 1 }, asFast)).toBeUndefined();
  });
});
