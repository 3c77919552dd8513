import { describe, expect, it } from "vitest";
import { analyse } from "../analyse.ts";
import { decodeModel } from "../proto/model.ts";
import { node, shapeOf, valueInfo } from "../proto/node.ts";
import { DataType, tensor } from "../proto/tensor.ts";
import { classify } from "../runtime/classify.ts";
import { createSession } from "../runtime/session.ts";
import { importOnnx } from "./import.ts";
import { answersOf, foreign, modelFile, models, sample, samples } from "./testing.ts";

async function logitsOf(model: Uint8Array, batch: number): Promise<Float32Array> {
  const session = await createSession(model);
  const { logits } = await classify(session, samples, sample, batch);
  await session.release();
  return logits;
}

const operators = (model: Uint8Array) => decodeModel(model).graph.node.map(({ opType }) => opType);

const rowsOf = (values: Float32Array) =>
  Array.from({ length: values.length / 4 }, (_none, row) => [...values.subarray(4 * row, 4 * row + 4)]);

const read = (bytes: Uint8Array) => importOnnx(bytes, { sample, samples });

describe.each(models)("the imported %s", (name) => {
  it("answers as torch or NumPy did, in calls of any size", async () => {
    const { model, classes } = await read(await modelFile(name));
    expect(classes).toBe(4);
    // Of the MLP the file holds a softmax, which the import takes off.
    const softmax = (row: number[]) => {
      const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
      return row.map((logit) => Math.exp(logit) / sum);
    };
    for (const batch of [1, 3, 32]) {
      const found = rowsOf(await logitsOf(model, batch)).map((row) => (name === "mlp" ? softmax(row) : row));
      for (const [at, row] of rowsOf(answersOf(name)).entries())
        for (const [column, value] of row.entries()) expect(found[at]?.[column]).toBeCloseTo(value, 4);
    }
  });

  it("is written the same way each time, with every shape declared that is counted by", async () => {
    const file = await modelFile(name);
    const { model } = await read(file);
    expect((await read(file)).model).toEqual(model);
    expect(analyse(model).macs).toBeGreaterThan(0);
    const { graph } = decodeModel(model);
    expect(graph.input.map((each) => [each.name, shapeOf(each)])).toEqual([["input", [-1, 8, 8, 1]]]);
    expect(graph.output.map((each) => [each.name, shapeOf(each)])).toEqual([["logits", [-1, 4]]]);
  });
});

describe("importing", () => {
  it("folds batch normalization, drops dropout and counts what torch counts of the layers", async () => {
    const { model, changes } = await read(await modelFile("cnn"));
    expect(operators(model)).toEqual(
      ["Transpose", "Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Reshape", "Gemm"], //
    );
    // Two convolutions and the dense layer with a bias each: 8 * 9 + 8, 16 * 72 + 16, 64 * 4 + 4; at 64 places, 16 and 1.
    expect(analyse(model)).toMatchObject({ parameters: 1508, macs: 64 * 72 + 16 * 1152 + 256 });
    expect(changes).toEqual([expect.stringContaining("a Transpose was put at the input")]);
  });

  it("takes off a Softmax, frees the batch and reshapes the samples, and says so", async () => {
    const { model, changes } = await read(await modelFile("mlp"));
    expect(operators(model)).toEqual(["Reshape", "Gemm", "Relu", "Gemm"]);
    expect(changes).toEqual([
      expect.stringContaining("a Reshape was put at the input"),
      expect.stringContaining("fixed at 1"),
      expect.stringContaining("Softmax"),
    ]);
  });

  it("leaves samples with the channels last and a LogSoftmax as they are, and pools means over an image", async () => {
    expect((await read(await modelFile("keras_like"))).changes).toEqual([]);
    expect(operators((await read(await modelFile("residual"))).model)).toContain("GlobalAveragePool");
    const { model } = await read(await modelFile("depthwise"));
    expect(operators(model).slice(-4)).toEqual(["GlobalAveragePool", "Flatten", "Gemm", "LogSoftmax"]);
  });

  it("says where the model still gives probabilities", async () => {
    const { changes } = await read(
      foreign({
        node: [
          node("Flatten", ["x"], ["f"]),
          node("MatMul", ["f", "w"], ["m"]),
          node("Softmax", ["m"], ["s"], { axis: 1 }),
          node("Abs", ["s"], ["y"]),
        ],
      }),
    );
    expect(changes).toContainEqual(expect.stringMatching(/probabilities, not logits/));
    expect((await read(foreign({}))).changes).not.toContainEqual(expect.stringMatching(/probabilities/));
  });

  it("puts the channels of colour images first, as the file has them", async () => {
    const colours = [2, 2, 3];
    // The file gives the first channel's four pixels; the samples hold the channels of each pixel together.
    const pick = Float32Array.from({ length: 48 }, (_none, at) => (at % 4 === Math.floor(at / 4) ? 1 : 0));
    const bytes = foreign({
      input: [valueInfo("x", DataType.FLOAT, [-1, 3, 2, 2])],
      initializer: [tensor("w", [12, 4], pick)],
    });
    const x = Float32Array.from({ length: 12 }, (_none, at) => at);
    const { model } = await importOnnx(bytes, { sample: colours, samples: x });
    const session = await createSession(model);
    expect([...(await classify(session, x, colours, 1)).logits]).toEqual([0, 3, 6, 9]);
    await session.release();
    const flat = foreign({
      input: [valueInfo("x", DataType.FLOAT, [-1, 12])],
      initializer: [tensor("w", [12, 4], pick)],
    });
    await expect(importOnnx(flat, { sample: colours, samples: x })).rejects.toThrow(/channels may be in either order/);
  });

  it("puts the channels of rows first, as a convolution over steps has them", async () => {
    // The file gives the first channel's two steps.
    const pick = tensor("w", [6, 2], Float32Array.of(1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0));
    const bytes = foreign({ input: [valueInfo("x", DataType.FLOAT, [-1, 3, 2])], initializer: [pick] });
    const x = Float32Array.of(1, 2, 3, 4, 5, 6);
    const { model } = await importOnnx(bytes, { sample: [2, 3], samples: x });
    const session = await createSession(model);
    expect([...(await classify(session, x, [2, 3], 1)).logits]).toEqual([1, 4]);
    await session.release();
  });

  it("keeps a weight that is read in two ways apart", async () => {
    const square = tensor(
      "w",
      [64, 64],
      Float32Array.from({ length: 4096 }, (_none, at) => Math.cos(at) / 8),
    );
    const out = tensor(
      "o",
      [64, 4],
      Float32Array.from({ length: 256 }, (_none, at) => Math.sin(at)),
    );
    const nodes = [
      node("Flatten", ["x"], ["f"]),
      node("Gemm", ["f", "w"], ["a"], { transB: 1 }),
      node("Relu", ["a"], ["r"]),
      node("MatMul", ["r", "w"], ["b"]),
      node("Relu", ["b"], ["s"]),
      node("MatMul", ["s", "o"], ["y"]),
    ];
    const { model } = await read(foreign({ node: nodes, initializer: [square, out] }));
    const names = decodeModel(model).graph.initializer.filter(({ dims }) => dims.join() === "64,64");
    expect(names.map((each) => each.name)).toEqual(["w", "w/copy1"]);
  });

  it("counts a layer at every step, wherever the batch lies", async () => {
    const longs = (name: string, ...values: number[]) =>
      tensor(name, [values.length], BigInt64Array.from(values, BigInt));
    const weights = (name: string, ...dims: [number, number]) =>
      tensor(
        name,
        dims,
        Float32Array.from({ length: dims[0] * dims[1] }, (_none, at) => Math.sin(at)),
      );
    const nodes = [
      node("Reshape", ["x", "rows"], ["r"]),
      node("Transpose", ["r"], ["t"], { perm: [1, 0, 2] }),
      node("MatMul", ["t", "a"], ["first"]),
      node("Transpose", ["first"], ["u"], { perm: [1, 0, 2] }),
      node("Reshape", ["u", "flat"], ["f"]),
      node("MatMul", ["f", "b"], ["second"]),
      node("Reshape", ["second", "together"], ["s"]),
      node("MatMul", ["s", "c"], ["y"]),
    ];
    const shapes = [longs("rows", -1, 8, 8), longs("flat", -1, 6), longs("together", -1, 16)];
    const initializer = [...shapes, weights("a", 8, 6), weights("b", 6, 2), weights("c", 16, 4)];
    const { model } = await read(foreign({ node: nodes, initializer }));
    // The first two at 8 rows of a sample: [8, n, 6], and [8 n, 2].
    expect(analyse(model).macs).toBe(8 * 48 + 8 * 12 + 64);
  });

  it("leaves names free for what quantization adds", async () => {
    const nodes = [
      node("Flatten", ["x"], ["input"]),
      node("MatMul", ["input", "a/scale"], ["logits"]),
      node("Relu", ["logits"], ["y"]),
    ];
    const initializer = [tensor("a/scale", [64, 4], new Float32Array(256).fill(0.5))];
    const { graph } = decodeModel((await read(foreign({ node: nodes, initializer }))).model);
    expect(graph.initializer.map(({ name }) => name)).toEqual(["a.scale"]);
    expect(graph.output.map(({ name }) => name)).toEqual(["logits"]);
  });
});
