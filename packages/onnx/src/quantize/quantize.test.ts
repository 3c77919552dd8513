import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { analyse } from "../analyse.ts";
import { exportOnnx } from "../export/export.ts";
import { indexGraph } from "../graph-index.ts";
import { decodeModel } from "../proto/model.ts";
import { tensorData } from "../proto/tensor.ts";
import { createSession } from "../runtime/session.ts";
import { storedWeight } from "../stored-weight.ts";
import { functional, noise, sequential, signature, smallCnn, weight, type TestCall } from "../test-models.ts";
import oracle from "./fixtures/static_quantization.json" with { type: "json" };
import { quantizeOnnx, type QuantizeOptions } from "./quantize.ts";

const calibration = { inputs: noise(32 * 128, 9), shape: [8, 8, 2] };
const int8 = (options: Partial<QuantizeOptions> = {}) => quantizeOnnx(smallCnn(), { calibration, ...options });

/** A constant of a model, as numbers. */
function constant(model: Uint8Array, name: string): number[] {
  const found = decodeModel(model).graph.initializer.find((each) => each.name === name);
  return found ? Array.from(tensorData(found), Number) : [];
}

/** The integers of a weight, packed or not. */
function weightOf(model: Uint8Array, name: string): number[] {
  return Array.from(storedWeight(indexGraph(decodeModel(model).graph), `${name}/dq`)?.values() ?? []);
}

async function outputs(model: Uint8Array, data: Float32Array, shape: number[]): Promise<Float32Array> {
  const session = await createSession(model);
  const size = shape.reduce((product, each) => product * each, 1);
  const results = await session.run({ x: { shape: [data.length / size, ...shape], datatype: "FP32", data } });
  await session.release();
  const logits = results["logits"]?.data;
  if (!(logits instanceof Float32Array)) throw new Error("the model has no float output named logits");
  return logits;
}

const power = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0);

function noiseRatio(expected: Float32Array, found: Float32Array): number {
  return power(found.map((value, at) => value - (expected[at] ?? 0))) / power(expected);
}

const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (error instanceof AppError ? error : undefined),
  );

describe("quantizing to int8", () => {
  it("gives a graph that ONNX Runtime runs with integer kernels from end to end", async () => {
    const { fused, layers } = await int8();
    expect(fused).toMatchObject({ QuantizeLinear: 1, QLinearConv: 1, QGemm: 1 });
    expect(fused).not.toHaveProperty("DequantizeLinear");
    expect(fused).not.toHaveProperty("Conv");
    expect(layers.map(({ operator, weights }) => [operator, weights])).toEqual([
      ["Conv", 72],
      ["Gemm", 192],
    ]);
  });

  const combinations = (["symmetric", "affine"] as const).flatMap((scheme) =>
    (["channel", "tensor"] as const).flatMap((granularity) =>
      (["minmax", "percentile", "mse"] as const).map((calibrator) => ({ scheme, granularity, calibrator })),
    ),
  );
  it.each(combinations)("answers as the float model does: $scheme, per $granularity, $calibrator", async (options) => {
    const { model } = await int8(options);
    const shape = [...calibration.shape];
    const float = await outputs(smallCnn(), calibration.inputs, shape);
    expect(noiseRatio(float, await outputs(model, calibration.inputs, shape))).toBeLessThan(1e-3);
  });

  it("gives the same bytes every time", async () => {
    expect((await int8()).model).toEqual((await int8()).model);
  });

  it("gives biases exactly the scale of input times weight, and zero point qmin after a ReLU", async () => {
    const { model } = await int8();
    const [input = 0] = constant(model, "x/scale");
    const products = constant(model, "conv/kernel/scale").map((scale) => Math.fround(input * scale));
    expect(products).toHaveLength(4);
    expect(constant(model, "conv/conv/bias/scale")).toEqual(products);
    expect(constant(model, "conv/relu/zero")).toEqual([0]);
  });

  it("names the axis of the output channels: the first of a Conv's kernel, the last of a Gemm's", async () => {
    const { node: nodes } = decodeModel((await int8()).model).graph;
    const axisOf = (output: string) => nodes.find((each) => each.output[0] === output)?.attribute[0];
    expect(axisOf("conv/kernel/dq")).toMatchObject({ name: "axis", i: 0 });
    expect(axisOf("dense/kernel/channels_first/dq")).toMatchObject({ name: "axis", i: 1 });
  });

  it.each([
    [true, 63],
    [false, 127],
  ])("keeps weights to 7 bits where products would saturate: %s", async (reduceRange, largest) => {
    const { model } = await int8({ reduceRange });
    expect(Math.max(...weightOf(model, "conv/kernel").map(Math.abs))).toBe(largest);
  });

  it.each(["symmetric", "affine"] as const)("keeps the zeros of a pruned model with %s weights", async (scheme) => {
    const pruned = smallCnn({
      "dense/kernel": weight(
        [64, 3],
        noise(192).map((w) => (Math.abs(w) < 0.25 ? 0 : w)),
      ),
    });
    const { model } = await quantizeOnnx(pruned, { calibration, scheme });
    expect(analyse(model).sparsity).toBeGreaterThanOrEqual(analyse(pruned).sparsity);
  });

  it("quantizes residual blocks, depthwise convolutions and global pools", async () => {
    const { model, float } = residual();
    const { fused, model: quantized } = await quantizeOnnx(model, { calibration: { inputs: float, shape: [6, 6, 4] } });
    expect(fused).toMatchObject({ QLinearConv: 2, QLinearAdd: 1, QLinearGlobalAveragePool: 1, QGemm: 1 });
    const expected = await outputs(model, float, [6, 6, 4]);
    expect(noiseRatio(expected, await outputs(quantized, float, [6, 6, 4]))).toBeLessThan(1e-2);
  });
});

function residual() {
  const convolution = { kernel_size: 3, strides: 1, padding: "same" };
  const calls: TestCall[] = [
    ["Conv2D", "conv", ["in"], { ...convolution, activation: "relu6" }],
    ["DepthwiseConv2D", "depthwise", ["conv"], { ...convolution, activation: "relu" }],
    ["Add", "add", ["conv", "depthwise"]],
    ["GlobalAveragePooling2D", "pool", ["add"]],
    ["Dense", "dense", ["pool"], { units: 3 }],
  ];
  const model = exportOnnx({
    topology: functional([6, 6, 4], calls),
    weights: {
      "conv/kernel": weight([3, 3, 4, 4], noise(144, 1)),
      "conv/bias": weight([4], noise(4, 2)),
      "depthwise/depthwise_kernel": weight([3, 3, 4, 1], noise(36, 3)),
      "depthwise/bias": weight([4], noise(4, 4)),
      "dense/kernel": weight([4, 3], noise(12, 5)),
      "dense/bias": weight([3], noise(3, 6)),
    },
    signature: signature([6, 6, 4], [3]),
  });
  return { model, float: noise(16 * 144, 8).map((value) => value * 4) };
}

describe.each(["channel", "tensor"] as const)("beside ONNX Runtime's quantize_static, per %s", (granularity) => {
  const float = Buffer.from(oracle.model, "base64");
  const inputs = Float32Array.from(oracle.inputs);
  const expected = oracle.cases[granularity];
  const options = { calibration: { inputs, shape: oracle.shape }, granularity, reduceRange: false };

  it("has the same scales and zero points", async () => {
    const { model } = await quantizeOnnx(float, options);
    for (const name of ["x", "relu", "hidden", "tanh", "conv/w", "hidden/w", "out/w"] as const) {
      const { scale, zero } = expected.parameters[name];
      expect([name, ...constant(model, `${name}/zero`)]).toEqual([name, ...zero]);
      constant(model, `${name}/scale`).forEach((each, at) => {
        expect(each / (scale[at] ?? Number.NaN)).toBeCloseTo(1, 6);
      });
    }
  });

  it("has the same outputs within one step of its output scale", async () => {
    const logits = await outputs((await quantizeOnnx(float, options)).model, inputs, oracle.shape);
    const step = expected.parameters.logits.scale[0] ?? 0;
    logits.forEach((value, at) => {
      expect(Math.abs(value - (expected.logits[at] ?? Number.NaN))).toBeLessThanOrEqual(step);
    });
  });
});

describe("parameters that are known already", () => {
  it("are told by a quantization, and give the same model again", async () => {
    const { model, parameters } = await int8({ reduceRange: false });
    expect([...parameters.groups.values()].every((group) => parameters.activations.has(group))).toBe(true);
    expect([...parameters.scales].map(([name, { length }]) => [name, length])).toEqual([
      ["conv/kernel", 4],
      ["dense/kernel/channels_first", 3],
    ]);
    const other = { inputs: calibration.inputs.map((value) => 3 * value), shape: calibration.shape };
    const again = await int8({ reduceRange: false, calibration: other, given: parameters });
    expect(again.model).toEqual(model);
  });

  it("are taken as they are, and the rest is found", async () => {
    const scales = new Map([["conv/kernel", Float32Array.of(0.5, 0.25, 0.125, 1)]]);
    const activations = new Map([["x", { scale: 0.5, zeroPoint: 3, qmin: 0, qmax: 255 }]]);
    const { model, parameters } = await int8({ given: { scales, activations } });
    expect([...constant(model, "conv/kernel/scale")]).toEqual([0.5, 0.25, 0.125, 1]);
    expect([...constant(model, "x/scale"), ...constant(model, "x/zero")]).toEqual([0.5, 3]);
    const usual = (await int8()).parameters;
    expect(parameters.activations.get("conv/relu")).toEqual(usual.activations.get("conv/relu"));
  });

  it("are refused when there is not a scale for each channel", async () => {
    const scales = new Map([["conv/kernel", Float32Array.of(0.5, 0.25)]]);
    expect((await refusal(int8({ given: { scales } })))?.message).toContain("2 scales");
  });
});

describe("refusing", () => {
  it("lists every setting that makes no sense", async () => {
    const error = await refusal(int8(JSON.parse('{"bits": 9, "granularity": "row"}')));
    expect(error?.code).toBe("invalid_request");
    expect(error?.issues.map(({ path }) => path)).toEqual(["bits", "granularity"]);
  });

  it("does not take 1 bit with affine weights", async () => {
    const error = await refusal(int8({ bits: 1, scheme: "affine" }));
    expect(error?.issues).toEqual([{ path: "bits", message: expect.stringContaining("2 to 8") }]);
  });

  it("says how many calibration values a sample has", async () => {
    const error = await refusal(int8({ calibration: { inputs: new Float32Array(100), shape: [8, 8, 2] } }));
    expect(error?.issues[0]).toMatchObject({ path: "calibration.inputs" });
    expect(error?.issues[0]?.message).toContain("128 values");
  });

  it.each([
    [Infinity, 0],
    [Number.NaN, 0],
    [Number.NaN, 700],
  ])("does not calibrate on the value %d at place %d", async (value, place) => {
    const inputs = Float32Array.from(calibration.inputs).fill(value, place, place + 1);
    expect((await refusal(int8({ calibration: { inputs, shape: [8, 8, 2] } })))?.code).toBe("invalid_request");
  });

  it("says so when there is nothing to quantize", async () => {
    const model = exportOnnx({
      topology: sequential([2], [["Softmax", "softmax"]]),
      weights: {},
      signature: signature([2], [2]),
    });
    const error = await refusal(quantizeOnnx(model, { calibration: { inputs: noise(4), shape: [2] } }));
    expect(error?.code).toBe("unsupported");
  });
});
