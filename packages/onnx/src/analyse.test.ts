import { describe, expect, it } from "vitest";
import { analyse } from "./analyse.ts";
import { exportOnnx } from "./export/export.ts";
import { quantizeOnnx } from "./quantize/quantize.ts";
import { decodeModel, encodeModel } from "./proto/model.ts";
import { node } from "./proto/node.ts";
import { floatData, tensor } from "./proto/tensor.ts";
import { noise, sequential, signature, smallCnn, weight } from "./test-models.ts";

const halfZero = noise(192).map((value, at) => (at % 2 === 0 ? 0 : value + 1));
const sparse = smallCnn({
  "dense/kernel": weight([64, 3], halfZero),
  "conv/kernel": weight(
    [3, 3, 2, 4],
    noise(72).map((w) => w + 1),
  ),
});

/** A model whose dense kernel is [outputs, inputs], as PyTorch writes it. */
function withOutputsFirst(bytes: Uint8Array): Uint8Array {
  const model = decodeModel(bytes);
  const { graph } = model;
  const kernel = graph.initializer.find(({ name }) => name.startsWith("dense/kernel"));
  if (!kernel) throw new Error("the model has no dense kernel");
  const [inputs = 0, outputs = 0] = kernel.dims;
  const data = floatData(kernel);
  const turned = Float32Array.from(data, (_, at) => data[(at % inputs) * outputs + Math.floor(at / inputs)] ?? 0);
  const initializer = [
    ...graph.initializer.filter((each) => each !== kernel),
    tensor(kernel.name, [outputs, inputs], turned),
  ];
  const nodes = graph.node.map((each) =>
    each.opType === "Gemm" ? node("Gemm", each.input, each.output, { transB: 1 }) : each,
  );
  return encodeModel({ ...model, graph: { ...graph, node: nodes, initializer } });
}

describe("analysing a model", () => {
  it("counts weights, biases and multiply-accumulates", () => {
    // conv: 3*3*2*4 weights at 8*8 places, 4 biases; dense: 64*3 weights, 3 biases.
    expect(analyse(smallCnn())).toMatchObject({ parameters: 72 + 4 + 192 + 3, macs: 64 * 72 + 192 });
  });

  it("counts both products of a recurrent layer at each step", () => {
    const bytes = exportOnnx({
      topology: sequential(
        [3, 4],
        [["LSTM", "lstm", { units: 2, activation: "tanh", recurrent_activation: "sigmoid" }]],
      ),
      weights: {
        "lstm/kernel": weight([4, 8], noise(32)),
        "lstm/recurrent_kernel": weight([2, 8], new Float32Array(16)),
        "lstm/bias": weight([8], noise(8)),
      },
      signature: signature([3, 4], [2]),
    });
    // ONNX' second bias is stored, too.
    expect(analyse(bytes)).toEqual({ parameters: 32 + 16 + 8 + 8, macs: 3 * (32 + 16), sparsity: 16 / 48 });
  });

  it("counts the zeros of the weights only", () => {
    expect(analyse(sparse).sparsity).toBeCloseTo(96 / 264, 10);
  });

  it("counts the zeros of tables that are looked up or added, in float16 too, and no multiplications by them", async () => {
    const bytes = exportOnnx({
      topology: sequential(
        [4],
        [
          ["Embedding", "words", {}],
          ["LearnedPositions", "positions"],
          ["Flatten", "flatten"],
          ["Dense", "dense", { units: 3, activation: "linear" }],
        ],
      ),
      weights: {
        "words/embeddings": weight(
          [50, 2],
          Float32Array.from({ length: 100 }, (_none, at) => (at < 30 ? 0 : 1)),
        ),
        "positions/positions": weight([4, 2], [0, 0, 0, 1, 2, 3, 4, 5]),
        "dense/kernel": weight([8, 3], new Float32Array(24).fill(1)),
        "dense/bias": weight([3], [0, 0, 0]),
      },
      signature: signature([4], [3]),
    });
    const counts = { parameters: 100 + 8 + 24 + 3, macs: 24, sparsity: 33 / 132 };
    expect(analyse(bytes)).toEqual(counts);
    const calibration = { inputs: Float32Array.from({ length: 16 }, (_none, at) => at), shape: [4] };
    for (const method of ["float16", "weights", "static"] as const) {
      const { model } = await quantizeOnnx(bytes, { calibration, method });
      expect(analyse(model)).toEqual(counts);
    }
  });

  it.each(["symmetric", "affine"] as const)(
    "gives an int8 model with %s weights the counts of its float form",
    async (scheme) => {
      const calibration = { inputs: noise(8 * 128), shape: [8, 8, 2] };
      const { model } = await quantizeOnnx(sparse, { calibration, scheme });
      expect(analyse(model)).toEqual(analyse(sparse));
    },
  );

  it("gives a dense kernel that has its outputs first the same counts", async () => {
    const turned = withOutputsFirst(sparse);
    expect(analyse(turned)).toEqual(analyse(sparse));
    const calibration = { inputs: noise(8 * 128), shape: [8, 8, 2] };
    const { model } = await quantizeOnnx(turned, { calibration, scheme: "affine" });
    expect(analyse(model)).toEqual(analyse(sparse));
  });
});
