import { describe, expect, it } from "vitest";
import { analyse } from "../analyse.ts";
import type { Weight } from "../export/layer.ts";
import { exportOnnx } from "../export/export.ts";
import { classify } from "../runtime/classify.ts";
import { createSession } from "../runtime/session.ts";
import { noise, sequential, signature, weight } from "../test-models.ts";
import { quantizeOnnx } from "./quantize.ts";

const [STEPS, FEATURES, UNITS] = [5, 24, 32];
const data = { inputs: noise(16 * STEPS * FEATURES, 5), shape: [STEPS, FEATURES] };
const gates = { LSTM: 4, GRU: 3 };
type Kind = keyof typeof gates;

/** A recurrent layer of 32 units, dense to 3. */
function recurrent(kind: Kind, changed: (weight: Weight) => Weight = (same) => same): Uint8Array<ArrayBuffer> {
  const columns = gates[kind] * UNITS;
  const cell = { units: UNITS, activation: "tanh", recurrent_activation: "sigmoid" };
  return exportOnnx({
    topology: sequential(data.shape, [
      [kind, "cell", cell],
      ["Dense", "out", { units: 3 }],
    ]),
    weights: {
      "cell/kernel": changed(weight([FEATURES, columns], noise(FEATURES * columns, 1))),
      "cell/recurrent_kernel": changed(weight([UNITS, columns], noise(UNITS * columns, 2))),
      "cell/bias": weight([columns], noise(columns, 3)),
      "out/kernel": changed(weight([UNITS, 3], noise(UNITS * 3, 4))),
      "out/bias": weight([3], noise(3, 5)),
    },
    signature: signature(data.shape, [3]),
  });
}

/** A kernel [inputs, outputs] rounded to int8 with a scale for each output, max|w| / 127. */
function rounded({ shape, data: values }: Weight): Weight {
  const columns = shape[1] ?? 1;
  const scales = new Float32Array(columns);
  values.forEach((value, at) => (scales[at % columns] = Math.max(scales[at % columns] ?? 0, Math.abs(value))));
  const round = (value: number, at: number) => {
    const scale = Math.fround((scales[at % columns] ?? 0) / 127);
    return Math.round(value / scale) * scale;
  };
  return { shape, data: values.map(round) };
}

async function logitsOf(model: Uint8Array): Promise<Float32Array> {
  const session = await createSession(model);
  const { logits } = await classify(session, data.inputs, data.shape, 16);
  await session.release();
  return logits;
}

describe.each(["LSTM", "GRU"] as const)("quantizing a model with a %s", (kind) => {
  const float = recurrent(kind);

  it("keeps both of its weights as integers with method weights, and answers as float weights of those values", async () => {
    const { model, layers, coverage, fused } = await quantizeOnnx(float, { calibration: data, method: "weights" });
    expect(layers.map(({ name, operator }) => [name, operator])).toEqual([
      ["cell/kernel", kind],
      ["cell/recurrent_kernel", kind],
      ["out/gemm", "Gemm"],
    ]);
    expect(coverage).toEqual({ covered: 1, left: [] });
    expect(model.byteLength).toBeLessThan(0.4 * float.byteLength);
    expect(fused).not.toHaveProperty("Mul");
    const expected = await logitsOf(recurrent(kind, rounded));
    for (const [at, value] of (await logitsOf(model)).entries()) expect(value).toBeCloseTo(expected[at] ?? NaN, 5);
    expect(await logitsOf(float)).not.toEqual(expected);
    const { parameters, macs } = analyse(float);
    expect(analyse(model)).toMatchObject({ parameters, macs });
  });

  it.each([
    { bits: 4 },
    { bits: 4, granularity: "block", blockSize: 16 },
    { bits: 6, scheme: "affine" },
    { bits: 8, granularity: "tensor" },
  ] as const)("takes %o too, and keeps zeros", async (options) => {
    const sparse = recurrent(kind, ({ shape, data: values }) => ({ shape, data: values.map((w) => (w < 0 ? 0 : w)) }));
    const { model, coverage } = await quantizeOnnx(sparse, { calibration: data, method: "weights", ...options });
    expect(coverage.covered).toBe(1);
    expect(analyse(model).sparsity).toBeGreaterThanOrEqual(analyse(sparse).sparsity);
    const expected = await logitsOf(sparse);
    for (const [at, value] of (await logitsOf(model)).entries())
      expect(Math.abs(value - (expected[at] ?? 0))).toBeLessThan(0.2);
  });

  it("says with the other methods that the weights stay float, and why", async () => {
    const { coverage } = await quantizeOnnx(float, { calibration: data });
    const all = analyse(float).parameters - gates[kind] * UNITS * 2 - 3;
    expect(coverage.covered).toBeCloseTo((3 * UNITS) / all, 10);
    const reason = expect.stringContaining("method weights");
    expect(coverage.left).toEqual([
      { name: "cell/recurrent_kernel", operator: kind, weights: UNITS * UNITS * gates[kind], reason },
      { name: "cell/kernel", operator: kind, weights: FEATURES * UNITS * gates[kind], reason },
    ]);
  });
});
