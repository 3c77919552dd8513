/** Quantizing products and convolutions that a Clip follows, in all the forms in which ONNX has one since opset 11. */
import { describe, expect, it } from "vitest";
import { importOnnx } from "../import/import.ts";
import { encodeModel, type Node } from "../proto/model.ts";
import { node, valueInfo } from "../proto/node.ts";
import { DataType, elementCount, tensor } from "../proto/tensor.ts";
import { classify } from "../runtime/classify.ts";
import { createSession } from "../runtime/session.ts";
import { noise } from "../test-models.ts";
import { quantizeOnnx } from "./quantize.ts";

const scalar = (name: string, value: number) => tensor(name, [], Float32Array.of(value));
const weights = (name: string, ...dims: number[]) => tensor(name, dims, noise(elementCount(dims), name.length));
const constants = [
  scalar("zero", 0),
  scalar("low", -0.3),
  scalar("high", 0.4),
  weights("kernel", 4, 2, 3, 3),
  weights("first", 72, 16),
  weights("bias", 16),
  weights("second", 16, 4),
  weights("conv_end", 144, 4),
  weights("steps_first", 6, 5),
  weights("steps_bias", 5),
  weights("steps_end", 60, 4),
  tensor("rows", [3], BigInt64Array.of(-1n, 12n, 6n)),
];
const image = [2, 6, 6];
const x = noise(32 * 72, 3);

const limits: [form: string, inputs: string[]][] = [
  ["no limit", []],
  ["a minimum of 0", ["zero"]],
  ["another minimum", ["low"]],
  ["a maximum alone", ["", "high"]],
  ["both, from 0", ["zero", "high"]],
  ["both, from below 0", ["low", "high"]],
];

/** From x to `before`, which is clipped to `c`, and from there to y. */
const models: Record<string, { before: Node[]; behind: Node[]; kernels: string[] }> = {
  MatMul: {
    before: [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "first"], ["before"])],
    behind: [node("MatMul", ["c", "second"], ["y"])],
    kernels: ["QLinearMatMul", "MatMulIntegerToFloat"],
  },
  Gemm: {
    before: [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "first", "bias"], ["before"])],
    behind: [node("Gemm", ["c", "second"], ["y"])],
    kernels: ["QGemm"],
  },
  Conv: {
    before: [node("Conv", ["x", "kernel"], ["before"], { pads: [1, 1, 1, 1] })],
    behind: [node("Flatten", ["c"], ["g"]), node("Gemm", ["g", "conv_end"], ["y"])],
    kernels: ["QLinearConv", "QGemm"],
  },
  "MatMul of rows": {
    before: [node("Reshape", ["x", "rows"], ["r"]), node("MatMul", ["r", "steps_first"], ["before"])],
    behind: [node("Flatten", ["c"], ["g"]), node("MatMul", ["g", "steps_end"], ["y"])],
    kernels: ["QLinearMatMul", "MatMulIntegerToFloat"],
  },
  "MatMul of rows with a bias": {
    before: [
      node("Reshape", ["x", "rows"], ["r"]),
      node("MatMul", ["r", "steps_first"], ["m"]),
      node("Add", ["m", "steps_bias"], ["before"]),
    ],
    behind: [node("Flatten", ["c"], ["g"]), node("MatMul", ["g", "steps_end"], ["y"])],
    kernels: ["QLinearMatMul", "MatMulIntegerToFloat"],
  },
};

function exported({ before, behind }: { before: Node[]; behind: Node[] }, limit: string[]) {
  const nodes = [...before, node("Clip", ["before", ...limit], ["c"]), ...behind];
  const read = new Set(nodes.flatMap(({ input }) => input));
  const graph = {
    name: "g",
    node: nodes,
    initializer: constants.filter(({ name }) => read.has(name)),
    input: [valueInfo("x", DataType.FLOAT, [-1, ...image])],
    output: [valueInfo("y", DataType.FLOAT, [-1, 4])],
    valueInfo: [],
  };
  return encodeModel({ irVersion: 8, opsetImport: [{ domain: "", version: 13 }], graph });
}

async function logitsOf(model: Uint8Array): Promise<Float32Array> {
  const session = await createSession(model);
  const { logits } = await classify(session, x, image, 16);
  await session.release();
  return logits;
}

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe.each(Object.entries(models))("a %s before a Clip", (_what, parts) => {
  it.each(limits)("runs in integers and answers as in float, with %s", async (_form, limit) => {
    const { model } = await importOnnx(exported(parts, limit), { sample: image, samples: x });
    const float = await logitsOf(model);
    const made = await quantizeOnnx(model, { calibration: { inputs: x, shape: image } });
    expect(parts.kernels.reduce((sum, kernel) => sum + (made.fused[kernel] ?? 0), 0)).toBe(2);
    const integers = await logitsOf(made.model);
    expect(largest(integers.map((value, at) => value - (float[at] ?? 0))) / largest(float)).toBeLessThan(0.04);
    for (const method of ["weights", "float16"] as const)
      await quantizeOnnx(model, { method, calibration: { inputs: x, shape: image } });
  });
});
