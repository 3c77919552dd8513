/** Quantizing graphs whose tensors have their channels last, with the Transposes that tf2onnx leaves around what ONNX has channels first. */
import { expect, it } from "vitest";
import { importOnnx } from "../import/import.ts";
import { encodeModel, type Node } from "../proto/model.ts";
import { node, valueInfo } from "../proto/node.ts";
import { DataType, elementCount, tensor } from "../proto/tensor.ts";
import { classify } from "../runtime/classify.ts";
import { createSession } from "../runtime/session.ts";
import { noise } from "../test-models.ts";
import { quantizeOnnx } from "./quantize.ts";

const image = [8, 8, 3];
const x = noise(32 * elementCount(image), 3);
const weights = (name: string, ...dims: number[]) => tensor(name, dims, noise(elementCount(dims), name.length));
const first = (from: string, to: string) => node("Transpose", [from], [to], { perm: [0, 3, 1, 2] });
const last = (from: string, to: string) => node("Transpose", [from], [to], { perm: [0, 2, 3, 1] });
const conv = (from: string, kernel: string, to: string) =>
  node("Conv", [from, kernel, `${kernel}/bias`], [to], { auto_pad: { string: "SAME_UPPER" }, strides: [1, 1] });

/** A block with a way around it: convolutions between Transposes, activations and the sum with the channels last. */
const block: Node[] = [
  first("x", "x/first"),
  conv("x/first", "stem", "a"),
  last("a", "a/last"),
  node("Relu", ["a/last"], ["r"]),
  first("r", "r/first"),
  conv("r/first", "inner", "b"),
  last("b", "b/last"),
  node("Add", ["b/last", "r"], ["sum"]),
  node("Relu", ["sum"], ["s"]),
];
const ends: Record<string, Node[]> = {
  "pooling, flattening and a dense layer": [
    first("s", "s/first"),
    node("MaxPool", ["s/first"], ["p"], { kernel_shape: [2, 2], strides: [2, 2] }),
    last("p", "p/last"),
    node("Reshape", ["p/last", "flat"], ["f"]),
    node("MatMul", ["f", "dense"], ["m"]),
    node("Add", ["m", "shift"], ["y"]),
  ],
  "a mean over both axes, pushed behind a Transpose, and a dense layer": [
    first("s", "s/first"),
    node("ReduceMean", ["s/first"], ["f"], { axes: [2, 3], keepdims: 0 }),
    node("MatMul", ["f", "head"], ["m"]),
    node("Add", ["m", "shift"], ["y"]),
  ],
};
const constants = [
  weights("stem", 4, 3, 3, 3),
  weights("stem/bias", 4),
  weights("inner", 4, 4, 3, 3),
  weights("inner/bias", 4),
  weights("dense", 64, 4),
  weights("head", 4, 4),
  weights("shift", 4),
  tensor("flat", [2], BigInt64Array.of(-1n, 64n)),
];

async function logitsOf(model: Uint8Array): Promise<Float32Array> {
  const session = await createSession(model);
  const { logits } = await classify(session, x, image, 16);
  await session.release();
  return logits;
}

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

it.each(Object.entries(ends))("a block that ends in %s runs in integers and answers as in float", async (_end, end) => {
  const nodes = [...block, ...end];
  const read = new Set(nodes.flatMap(({ input }) => input));
  const graph = {
    name: "tf2onnx",
    node: nodes,
    initializer: constants.filter(({ name }) => read.has(name)),
    input: [valueInfo("x", DataType.FLOAT, [-1, ...image])],
    output: [valueInfo("y", DataType.FLOAT, [-1, 4])],
    valueInfo: [],
  };
  const file = encodeModel({ irVersion: 8, opsetImport: [{ domain: "", version: 15 }], graph });
  const { model, changes } = await importOnnx(file, { sample: image, samples: x });
  expect(changes).toEqual([]);
  const float = await logitsOf(model);
  const made = await quantizeOnnx(model, { calibration: { inputs: x, shape: image } });
  expect(made.fused).toMatchObject({ QLinearConv: 2, QLinearAdd: 1, QGemm: 1 });
  for (const operator of ["Conv", "ReduceMean", "DequantizeLinear"]) expect(made.fused[operator]).toBeUndefined();
  expect(made.coverage.covered).toBe(1);
  const integers = await logitsOf(made.model);
  expect(largest(integers.map((value, at) => value - (float[at] ?? 0))) / largest(float)).toBeLessThan(0.04);
});
