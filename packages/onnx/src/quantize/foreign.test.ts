/** Quantizing graphs as other tools write them, after their import and without it. */
import { describe, expect, it } from "vitest";
import { analyse } from "../analyse.ts";
import { importOnnx } from "../import/import.ts";
import { modelFile, models, sample, samples } from "../import/testing.ts";
import { encodeModel, type Graph, type Node } from "../proto/model.ts";
import { node, valueInfo } from "../proto/node.ts";
import { DataType, tensor } from "../proto/tensor.ts";
import { classify } from "../runtime/classify.ts";
import { createSession } from "../runtime/session.ts";
import { noise } from "../test-models.ts";
import { Gram } from "./gram.ts";
import { quantizeOnnx, type QuantizeOptions } from "./quantize.ts";

async function logitsOf(model: Uint8Array, x: Float32Array, shape: readonly number[]): Promise<Float32Array> {
  const session = await createSession(model);
  const { logits } = await classify(session, x, shape, 16);
  await session.release();
  return logits;
}

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Quantizes a model and gives what runs, with the largest error of an output as a share of the largest output. */
async function quantized(
  model: Uint8Array,
  x: Float32Array,
  shape: readonly number[],
  options: Partial<QuantizeOptions>,
) {
  const made = await quantizeOnnx(model, { ...options, calibration: { inputs: x, shape } });
  const [float, integers] = [await logitsOf(model, x, shape), await logitsOf(made.model, x, shape)];
  const error = largest(integers.map((value, at) => value - (float[at] ?? 0))) / largest(float);
  return { ...made, error };
}

const imported = async (name: (typeof models)[number]) => {
  const { model } = await importOnnx(await modelFile(name), { sample, samples });
  return model;
};

describe("an imported model", () => {
  it.each([
    ["mlp", { QGemm: 2 }],
    ["cnn", { QLinearConv: 2, QGemm: 1, NhwcMaxPool: 2 }],
    ["residual", { QLinearConv: 4, QLinearAdd: 1, QLinearConcat: 1, QLinearGlobalAveragePool: 1, QGemm: 1 }],
    ["depthwise", { QLinearConv: 3, QGemm: 1 }],
    ["keras_like", { QLinearConv: 1, QLinearAveragePool: 1, QGemm: 1 }],
  ] as const)("runs in integers and answers as in float: %s", async (name, kernels) => {
    const made = await quantized(await imported(name), samples, sample, {});
    expect(made.fused).toMatchObject(kernels);
    expect(made.coverage).toEqual({ covered: 1, left: [] });
    expect(made.error).toBeLessThan(0.04);
  });

  it.each([
    { method: "weights", bits: 8 },
    { method: "weights", bits: 6 },
    { method: "weights", bits: 6, scheme: "affine", granularity: "tensor" },
    { method: "float16" },
    { biasCorrection: true },
    { equalize: true },
  ] as const)("takes %j and counts the same layers as before", async (options) => {
    for (const name of models) {
      const model = await imported(name);
      const made = await quantized(model, samples, sample, options);
      expect(made.error).toBeLessThan("bits" in options && options.bits === 6 ? 0.2 : 0.04);
      const { macs, parameters } = analyse(model);
      expect(analyse(made.model)).toMatchObject({ macs, parameters });
    }
  });
});

/** A model of [n, ...shape] with these nodes, from x to y. */
function graphOf(
  shape: readonly number[],
  nodes: Node[],
  initializer: Graph["initializer"],
  { opset = 18, classes = 4 } = {},
): Uint8Array<ArrayBuffer> {
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: "", version: opset }],
    graph: {
      name: "g",
      node: nodes,
      initializer,
      input: [valueInfo("x", DataType.FLOAT, [-1, ...shape])],
      output: [valueInfo("y", DataType.FLOAT, [-1, classes])],
      valueInfo: [],
    },
  });
}

const weights = (name: string, ...dims: number[]) =>
  tensor(
    name,
    dims,
    noise(
      dims.reduce((product, size) => product * size, 1),
      name.length,
    ),
  );
const longs = (name: string, ...values: number[]) => tensor(name, [values.length], BigInt64Array.from(values, BigInt));
const flatten = [node("Flatten", ["last"], ["f"]), node("Gemm", ["f", "dense"], ["y"])];

describe("a graph of another tool's", () => {
  const image = [2, 6, 6];
  const x = noise(32 * 72, 3);
  const run = (nodes: Node[], constants: Graph["initializer"], options: Partial<QuantizeOptions> = {}) =>
    quantized(graphOf(image, nodes, constants), x, image, options);
  const conv = (input: string, output: string, attributes = {}) =>
    node("Conv", [input, "kernel"], [output], { pads: [1, 1, 1, 1], ...attributes });
  const kernel = weights("kernel", 4, 2, 3, 3);

  it("runs a convolution in integers whose Clip does not begin at 0", async () => {
    const [low, high] = [tensor("low", [], Float32Array.of(-0.3)), tensor("high", [], Float32Array.of(0.4))];
    const nodes = [conv("x", "c"), node("Clip", ["c", "low", "high"], ["last"]), ...flatten];
    const made = await run(nodes, [kernel, low, high, weights("dense", 144, 4)]);
    expect(made.fused).toMatchObject({ QLinearConv: 1, Clip: 1, QGemm: 1 });
    expect(made.error).toBeLessThan(0.04);
  });

  it("and one whose Clip has no lower end", async () => {
    const nodes = [conv("x", "c"), node("Clip", ["c", "", "high"], ["last"]), ...flatten];
    const made = await run(nodes, [kernel, tensor("high", [], Float32Array.of(0.4)), weights("dense", 144, 4)]);
    expect(made.fused).toMatchObject({ QLinearConv: 1, QGemm: 1 });
    expect(made.error).toBeLessThan(0.04);
  });

  it("leaves a shape that is worked out as the whole numbers it is", async () => {
    const nodes = [
      conv("x", "c"),
      node("Shape", ["c"], ["s"]),
      node("Gather", ["s", "first"], ["n"]),
      node("Concat", ["n", "rest"], ["to"], { axis: 0 }),
      node("Reshape", ["c", "to"], ["f"]),
      node("Gemm", ["f", "dense"], ["y"]),
    ];
    const made = await run(nodes, [kernel, longs("first", 0), longs("rest", 144), weights("dense", 144, 4)]);
    expect(made.fused).toMatchObject({ QLinearConv: 1, QGemm: 1 });
    expect(made.error).toBeLessThan(0.04);
  });

  it("keeps integers through Unsqueeze and Squeeze", async () => {
    const nodes = [
      conv("x", "c"),
      node("Unsqueeze", ["c", "axis"], ["u"]),
      node("Squeeze", ["u", "axis"], ["last"]),
      ...flatten,
    ];
    const made = await run(nodes, [kernel, longs("axis", 1), weights("dense", 144, 4)]);
    expect(made.fused).toMatchObject({ QLinearConv: 1, QGemm: 1 });
    expect(made.fused["DequantizeLinear"]).toBeUndefined();
    expect(made.error).toBeLessThan(0.04);
  });

  it("quantizes a product that reads another one's result as it runs", async () => {
    const nodes = [
      node("Flatten", ["x"], ["f"]),
      node("MatMul", ["f", "first"], ["m"]),
      node("MatMul", ["m", "second"], ["y"]),
    ];
    const made = await run(nodes, [weights("first", 72, 16), weights("second", 16, 4)], { method: "dynamic" });
    expect(made.error).toBeLessThan(0.04);
  });

  it("adds a constant in float", async () => {
    const nodes = [conv("x", "c"), node("Add", ["c", "shift"], ["last"]), ...flatten];
    const made = await run(nodes, [kernel, weights("shift", 4, 1, 1), weights("dense", 144, 4)]);
    expect(made.fused).toMatchObject({ QLinearConv: 1, QGemm: 1 });
    expect(made.error).toBeLessThan(0.04);
  });

  const inFloat = async (dense: Node[], constants: Graph["initializer"]) => {
    const made = await run([conv("x", "c"), node("Flatten", ["c"], ["f"]), ...dense], [kernel, ...constants]);
    expect(made.fused).toMatchObject({ QLinearConv: 1 });
    expect(made.error).toBeLessThan(0.04);
    return made.coverage.left.map(({ name }) => name);
  };

  it("leaves a product with another factor in float and says so", async () => {
    const half = node("Gemm", ["f", "dense"], ["y"], { alpha: { float: 0.5 } });
    expect(await inFloat([half], [weights("dense", 144, 4)])).toEqual(["dense"]);
  });

  it("leaves a product whose bias is a scalar in float and says so", async () => {
    const one = tensor("one", [], Float32Array.of(1));
    expect(await inFloat([node("Gemm", ["f", "dense", "one"], ["y"])], [weights("dense", 144, 4), one])).toEqual([
      "dense",
    ]);
  });

  it("leaves a product of a constant with its input in float and says so", async () => {
    const nodes = [
      node("Transpose", ["f"], ["t"], { perm: [1, 0] }),
      node("MatMul", ["left", "t"], ["p"]),
      node("Transpose", ["p"], ["y"], { perm: [1, 0] }),
    ];
    expect(await inFloat(nodes, [weights("left", 4, 144)])).toEqual(["left"]);
  });

  it("does not pack weights where its opset can't unpack them, and says what would", async () => {
    const nodes = [conv("x", "last"), ...flatten];
    const old = graphOf(image, nodes, [kernel, weights("dense", 144, 4)], { opset: 17 });
    const options = { method: "weights", bits: 4, calibration: { inputs: x, shape: image } } as const;
    const packed = graphOf(image, nodes, [kernel, weights("dense", 144, 40)], { opset: 17, classes: 40 });
    await expect(quantizeOnnx(packed, options)).rejects.toThrow(
      /needs opset 18, but the model is of opset 17: use 8 bits/,
    );
    expect((await quantized(old, x, image, {})).error).toBeLessThan(0.04);
  });

  it("keeps the weights of a plain recurrent layer as integers, and counts them at every step", async () => {
    const sequence = [4, 3];
    const nodes = [
      node("Transpose", ["x"], ["t"], { perm: [1, 0, 2] }),
      node("RNN", ["t", "inputs", "states"], ["steps", "end"], { hidden_size: 5 }),
      node("Squeeze", ["end", "direction"], ["f"]),
      node("Gemm", ["f", "dense"], ["y"]),
    ];
    const constants = [weights("inputs", 1, 5, 3), weights("states", 1, 5, 5), weights("dense", 5, 4)];
    const values = noise(32 * 12, 3);
    const bytes = graphOf(sequence, nodes, [...constants, longs("direction", 0)]);
    const { model } = await importOnnx(bytes, { sample: sequence, samples: values });
    const made = await quantized(model, values, sequence, { method: "weights" });
    expect(made.coverage).toEqual({ covered: 1, left: [] });
    expect(made.error).toBeLessThan(0.04);
    for (const each of [model, made.model]) expect(analyse(each).macs).toBe(4 * (15 + 25) + 20);
  });

  it("takes a convolution of sequences, and leaves one of volumes in float", async () => {
    const sequence = [2, 12];
    const layers = [node("Conv", ["x", "kernel"], ["last"]), ...flatten];
    const steps = graphOf(sequence, layers, [weights("kernel", 4, 2, 3), weights("dense", 40, 4)]);
    const made = await quantized(steps, noise(32 * 24, 3), sequence, {});
    expect(made.fused).toMatchObject({ QLinearConv: 1, QGemm: 1 });
    expect(made.error).toBeLessThan(0.04);
    const volume = [2, 3, 3, 3];
    const volumes = graphOf(volume, layers, [weights("kernel", 4, 2, 2, 2, 2), weights("dense", 32, 4)]);
    const mixed = await quantized(volumes, noise(32 * 54, 3), volume, {});
    expect(mixed.fused).toMatchObject({ Conv: 1, QGemm: 1 });
    expect(mixed.coverage.left).toMatchObject([{ name: "kernel", operator: "Conv" }]);
  });
});

describe("the second moments of a convolution's patches", () => {
  const gramOf = (attributes: Parameters<typeof node>[3], dims: number[], shape: number[], values: number[]) => {
    const weight = tensor("w", dims, new Float32Array(dims.reduce((product, size) => product * size, 1)));
    const layout = { channels: dims[0] ?? 1, axis: "first" as const };
    const gram = new Gram({ node: node("Conv", ["x", "w"], ["y"], attributes), input: 1, weight, layout }, 1);
    gram.add({ values: Float32Array.from(values), shape });
    return [...gram.matrix()];
  };

  it("of a sequence are those of its windows", () => {
    // The windows (1, 2) and (2, 3): the means of 1 and 4, of 2 and 6, of 4 and 9.
    expect(gramOf({}, [1, 1, 2], [1, 1, 3], [1, 2, 3])).toEqual([2.5, 4, 4, 6.5]);
  });

  it.each([
    ["SAME_UPPER", [0, 0, 1, 1]],
    ["SAME_LOWER", [1, 1, 0, 0]],
    ["VALID", [0, 0, 0, 0]],
  ])("with auto_pad %s are those with its pads written out", (mode, pads) => {
    const [dims, shape, values] = [[1, 1, 3, 3], [1, 1, 6, 6], [...noise(36, 4)]];
    const auto = gramOf({ auto_pad: { string: mode }, strides: [2, 2] }, dims, shape, values);
    expect(auto).toEqual(gramOf({ pads, strides: [2, 2] }, dims, shape, values));
    expect(auto.some((value) => value !== 0)).toBe(true);
  });
});
