import { describe, expect, it } from "vitest";
import { analyse } from "../analyse.ts";
import { exportOnnx } from "../export/export.ts";
import { decodeModel } from "../proto/model.ts";
import { tensorData } from "../proto/tensor.ts";
import { classify } from "../runtime/classify.ts";
import { createSession } from "../runtime/session.ts";
import { functional, noise, sequential, signature, smallCnn, weight, type TestCall } from "../test-models.ts";
import oracle from "./fixtures/methods.json" with { type: "json" };
import { quantizeOnnx, type QuantizeOptions } from "./quantize.ts";
import { Quantizer } from "./quantizer.ts";

const calibration = { inputs: noise(32 * 128, 9), shape: [8, 8, 2] };

async function logitsOf(model: Uint8Array, inputs: Float32Array, shape: readonly number[]): Promise<Float32Array> {
  const session = await createSession(model);
  const { logits } = await classify(session, inputs, shape, 64);
  await session.release();
  return logits;
}

const power = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0);

async function noiseOf(float: Uint8Array, compressed: Uint8Array, data: typeof calibration): Promise<number> {
  const expected = await logitsOf(float, data.inputs, data.shape);
  const found = await logitsOf(compressed, data.inputs, data.shape);
  return power(found.map((value, at) => value - (expected[at] ?? 0))) / power(expected);
}

/** 200 inputs, 40 hidden units, 3 outputs. */
function mlp(): Uint8Array<ArrayBuffer> {
  return exportOnnx({
    topology: sequential(
      [200],
      [
        ["Dense", "hidden", { units: 40, activation: "relu" }],
        ["Dense", "out", { units: 3, activation: "linear" }],
      ],
    ),
    weights: {
      "hidden/kernel": weight([200, 40], noise(8000, 1)),
      "hidden/bias": weight([40], noise(40, 2)),
      "out/kernel": weight([40, 3], noise(120, 3)),
      "out/bias": weight([3], noise(3, 4)),
    },
    signature: signature([200], [3]),
  });
}

/** Conv 3x3 from 32 to 64 channels, global pool, dense to 3. */
function wideCnn(): Uint8Array<ArrayBuffer> {
  return exportOnnx({
    topology: sequential(
      [4, 4, 32],
      [
        ["Conv2D", "conv", { kernel_size: 3, strides: 1, padding: "same", activation: "relu" }],
        ["GlobalAveragePooling2D", "pool"],
        ["Dense", "out", { units: 3 }],
      ],
    ),
    weights: {
      "conv/kernel": weight([3, 3, 32, 64], noise(18_432, 1)),
      "conv/bias": weight([64], noise(64, 2)),
      "out/kernel": weight([64, 3], noise(192, 3)),
      "out/bias": weight([3], noise(3, 4)),
    },
    signature: signature([4, 4, 32], [3]),
  });
}

const dense = { inputs: noise(32 * 200, 5), shape: [200] };

/** A dense layer of 64 to 64 that is called twice, then one to 3. */
function sharingMlp(): Uint8Array<ArrayBuffer> {
  const calls: TestCall[] = [
    ["Dense", "twice", ["in"], { units: 64, activation: "relu" }],
    ["Dense", "out", ["twice"], { units: 3, activation: "linear" }],
  ];
  const topology = functional([64], calls);
  const [, twice, out] = topology.config.layers;
  twice?.inbound_nodes.push([["twice", 0, 0, {}]]);
  out?.inbound_nodes.splice(0, 1, [["twice", 1, 0, {}]]);
  return exportOnnx({
    topology,
    weights: {
      "twice/kernel": weight([64, 64], noise(4096, 1)),
      "twice/bias": weight([64], noise(64, 2)),
      "out/kernel": weight([64, 3], noise(192, 3)),
      "out/bias": weight([3], noise(3, 4)),
    },
    signature: signature([64], [3]),
  });
}

describe("a weight that two layers share", () => {
  const data = { inputs: noise(64 * 64, 5), shape: [64] };

  it.each(["static", "dynamic", "weights"] as const)(
    "has the bits that the first of them is given, and counts once (%s)",
    async (method) => {
      const float = sharingMlp();
      const quantizer = new Quantizer(float, data);
      const [twice = "", out = "", ...others] = quantizer.layersFor(method);
      expect(others).toEqual([]);
      const { model, layers } = await quantizer.quantize({ method, bits: 7, layers: { [twice]: 4, [out]: 6 } });
      expect(layers.map(({ name, weights, bits }) => [name, weights, bits])).toEqual([
        [twice, 4096, 4],
        [out, 192, 6],
      ]);
      expect(await noiseOf(float, model, data)).toBeLessThan(0.05);
      const { layers: left, coverage } = await quantizer.quantize({ method, bits: 7, layers: { [twice]: "float" } });
      expect(left.map(({ name }) => name)).toEqual([out]);
      expect(coverage.covered).toBeCloseTo(192 / 4288, 12);
    },
  );
});

describe("weights alone in integers", () => {
  it.each([
    [8, 1e-4],
    [6, 2e-3],
    [5, 5e-3],
    [4, 2e-2],
    [3, 0.1],
    [2, 0.5],
  ])("of %d bits take that many bits in the file and answer as float weights of those values", async (bits, most) => {
    const float = mlp();
    const { model, layers } = await quantizeOnnx(float, { calibration: dense, method: "weights", bits });
    // The 120 weights of the last layer would not get smaller by what unpacking them takes.
    expect(layers.map(({ storedBits }) => storedBits)).toEqual([bits, 8]);
    expect(model.byteLength).toBeLessThan((8000 * bits) / 8 + 2400);
    expect(await noiseOf(float, model, dense)).toBeLessThan(most);
    expect(analyse(model)).toMatchObject({ parameters: analyse(float).parameters, macs: analyse(float).macs });
  });

  it("run as float operators, with nothing left of the unpacking", async () => {
    const { fused } = await quantizeOnnx(mlp(), { calibration: dense, method: "weights", bits: 3 });
    for (const operator of ["BitShift", "BitwiseAnd", "ReduceSum", "Mul", "Cast"])
      expect(fused).not.toHaveProperty(operator);
  });

  it("of 4 bits in blocks run as MatMulNBits, and lose less than one scale a channel does", async () => {
    const options = { calibration: dense, method: "weights", bits: 4 } as const;
    const blocks = await quantizeOnnx(mlp(), { ...options, granularity: "block", blockSize: 32 });
    const channels = await quantizeOnnx(mlp(), options);
    expect(blocks.fused).toMatchObject({ MatMulNBits: 1, Gemm: 1 });
    // 200 inputs fill 7 blocks of 32, each with a scale: (7 32 4 + 7 32) / 200. The 120 weights of the last layer take less as int8.
    expect(blocks.layers.map(({ bits }) => bits)).toEqual([4, 8]);
    expect(blocks.layers.map(({ storedBits }) => storedBits)).toEqual([5.6, 8]);
    blocks.layers.forEach(({ signalToNoise }, at) =>
      expect(signalToNoise).toBeGreaterThan(channels.layers[at]?.signalToNoise ?? Infinity),
    );
    expect(await noiseOf(mlp(), blocks.model, dense)).toBeLessThan(1e-2);
    expect(analyse(blocks.model)).toMatchObject({ parameters: 8163, macs: 8120 });
  });

  it.each([2, 3, 5])("of %d bits in blocks, convolutions too, lose less with smaller blocks", async (bits) => {
    const kept: number[] = [];
    const data = { inputs: noise(8 * 512, 7), shape: [4, 4, 32] };
    for (const blockSize of [16, 32] as const) {
      const options = { method: "weights", bits, granularity: "block", blockSize } as const;
      const { model, layers } = await quantizeOnnx(wideCnn(), { calibration: data, ...options });
      expect(layers.map((layer) => layer.storedBits)).toEqual([bits + 32 / blockSize, 8]);
      expect(await noiseOf(wideCnn(), model, data)).toBeLessThan(1);
      kept.push(layers[0]?.signalToNoise ?? 0);
    }
    expect(kept).toEqual(kept.toSorted((a, b) => b - a));
  });

  it("keep a zero point of their own with the affine scheme, and their zeros", async () => {
    const pruned = smallCnn({
      "dense/kernel": weight(
        [64, 3],
        noise(192).map((w) => (w < 0 ? 0 : w)),
      ),
    });
    const { model } = await quantizeOnnx(pruned, { calibration, method: "weights", bits: 4, scheme: "affine" });
    expect(await noiseOf(pruned, model, calibration)).toBeLessThan(2e-2);
    expect(analyse(model).sparsity).toBeGreaterThanOrEqual(analyse(pruned).sparsity);
  });
});

describe("static quantization to fewer than 8 bits", () => {
  it.each([7, 4, 2, 1])("keeps its weights packed to %d bits and still runs with integer kernels", async (bits) => {
    const float = wideCnn();
    const data = { inputs: noise(8 * 512, 7), shape: [4, 4, 32] };
    const { model, layers, fused } = await quantizeOnnx(float, { calibration: data, bits });
    expect(fused).toMatchObject({ QLinearConv: 1, QGemm: 1 });
    expect(layers.map(({ storedBits }) => storedBits)).toEqual([bits, 8]);
    const planes = decodeModel(model).graph.initializer.filter(({ name }) => name.endsWith("/planes"));
    expect(planes.map((each) => tensorData(each).length)).toEqual([(18_432 * bits) / 8]);
    const { parameters, macs } = analyse(float);
    expect(analyse(model)).toMatchObject({ parameters, macs });
  });
});

describe("float16", () => {
  it("halves the file and answers as float32 within float16's precision, with the same operators", async () => {
    const { model, fused } = await quantizeOnnx(mlp(), { calibration: dense, method: "float16" });
    expect(model.byteLength).toBeLessThan(0.55 * mlp().byteLength);
    expect(await noiseOf(mlp(), model, dense)).toBeLessThan(1e-6);
    expect(Object.keys(fused)).not.toContain("Cast");
    expect(analyse(model)).toEqual(analyse(mlp()));
  });
});

describe("dynamic quantization beside ONNX Runtime's quantize_dynamic", () => {
  const float = Buffer.from(oracle.model, "base64");
  const data = { inputs: Float32Array.from(oracle.inputs), shape: [40] };
  const options = { calibration: data, method: "dynamic", reduceRange: false } as const;

  it("has the same weights and scales, and the same outputs", async () => {
    const { model, fused } = await quantizeOnnx(float, options);
    const constants = new Map(decodeModel(model).graph.initializer.map((each) => [each.name, tensorData(each)]));
    const scales = constants.get("hidden/w/scale") ?? [];
    oracle.dynamic.scale.forEach((scale, at) => expect(Number(scales[at]) / scale).toBeCloseTo(1, 5));
    expect(Array.from(constants.get("hidden/w/q") ?? [], Number)).toEqual(oracle.dynamic.weights);
    const logits = await logitsOf(model, data.inputs, data.shape);
    oracle.dynamic.logits.forEach((value, at) => expect(logits[at]).toBeCloseTo(value, 4));
    expect(fused).toMatchObject({ DynamicQuantizeMatMul: 2 });
  });

  it("counts what the float model has", async () => {
    const { parameters, macs } = analyse(float);
    expect(analyse((await quantizeOnnx(float, options)).model)).toMatchObject({ parameters, macs });
  });

  it("takes dense layers with their biases, and weights of fewer bits", async () => {
    const { model, fused } = await quantizeOnnx(mlp(), { calibration: dense, method: "dynamic", bits: 6 });
    expect(fused).toMatchObject({ DynamicQuantizeMatMul: 2 });
    expect(model.byteLength).toBeLessThan(0.3 * mlp().byteLength);
    expect(await noiseOf(mlp(), model, dense)).toBeLessThan(1e-2);
    expect(analyse(model)).toMatchObject({ parameters: 8163, macs: 8120 });
  });

  it("is refused for convolutions, with the reason", async () => {
    const refused = quantizeOnnx(smallCnn(), { calibration, method: "dynamic" });
    await expect(refused).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining("slower") });
  });
});

describe("single layers", () => {
  it("have bits of their own, or stay float", async () => {
    const [conv = "", gemm = ""] = new Quantizer(smallCnn(), calibration).layersFor("static");
    const mixed = await quantizeOnnx(smallCnn(), { calibration, layers: { [conv]: 4, [gemm]: "float" } });
    expect(mixed.layers).toMatchObject([{ name: conv, bits: 4 }]);
    expect(mixed.fused).toMatchObject({ QLinearConv: 1, Gemm: 1 });
  });

  it("are refused when all stay float", async () => {
    const { layers } = await quantizeOnnx(smallCnn(), { calibration });
    const none = Object.fromEntries(layers.map(({ name }) => [name, "float" as const]));
    await expect(quantizeOnnx(smallCnn(), { calibration, layers: none })).rejects.toMatchObject({
      code: "unsupported",
    });
  });
});

describe("settings that don't go together", () => {
  it.each([
    { granularity: "block" },
    { granularity: "block", method: "dynamic" },
    { granularity: "block", method: "weights", scheme: "affine" },
  ] satisfies Partial<QuantizeOptions>[])("are refused: %o", async (options) => {
    await expect(quantizeOnnx(smallCnn(), { calibration, ...options })).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "granularity" }],
    });
  });
});
