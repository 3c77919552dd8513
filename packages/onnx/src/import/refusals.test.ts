import { describe, expect, it } from "vitest";
import { node, valueInfo } from "../proto/node.ts";
import { DataType, tensor } from "../proto/tensor.ts";
import { importOnnx } from "./import.ts";
import { foreign, sample, samples } from "./testing.ts";

describe("a file that can't be imported", () => {
  const read = (bytes: Uint8Array) => importOnnx(bytes, { sample, samples });
  const inner = { name: "then", type: 5 };
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ["other bytes", Uint8Array.of(8, 200), /not an ONNX model/],
    ["a PyTorch file", Uint8Array.of(0x50, 0x4b, 3, 4), /ZIP archive.*torch\.onnx\.export/],
    ["a Keras file", Uint8Array.of(0x89, 0x48, 0x44, 0x46), /HDF5.*tf2onnx/],
    ["an old opset", foreign({}, 11), /opset 11.*opset 13 or newer/],
    ["an opset that is not there yet", foreign({}, 99), /opset/i],
    ["two inputs", foreign({ input: ["x", "z"].map((name) => valueInfo(name, 1, [-1, 64])) }), /2 inputs \(x, z\)/],
    ["token ids", foreign({ input: [valueInfo("x", DataType.INT64, [-1, 64])] }), /input x is int64.*float32/],
    ["a chosen class", foreign({ output: [valueInfo("y", DataType.INT64, [-1])] }), /output y is int64.*scores/],
    [
      "weights in another file",
      foreign({ initializer: [{ name: "w", dims: [64, 4], dataType: 1, dataLocation: 1 }] }),
      /file beside the model.*external_data=False/,
    ],
    [
      "a constant in another file",
      foreign({
        node: [
          {
            ...node("Constant", [], ["w"]),
            attribute: [
              { name: "value", type: 4, t: { ...tensor("t", [64, 4], new Float32Array(256)), dataLocation: 1 } },
            ],
          },
          node("MatMul", ["x", "w"], ["y"]),
        ],
      }),
      /file beside the model/,
    ],
    [
      "integers already",
      foreign({ node: [node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"], ["y"])] }),
      /DequantizeLinear \(d\): the model is quantized already/,
    ],
    [
      "weights of float64",
      foreign({
        node: [
          node("Flatten", ["x"], ["f"]),
          node("Cast", ["f"], ["c"], { to: 11 }),
          node("MatMul", ["c", "w"], ["m"]),
          node("Cast", ["m"], ["y"], { to: 1 }),
        ],
        initializer: [{ name: "w", dims: [64, 4], dataType: 11, rawData: new Uint8Array(2048) }],
      }),
      /weights w are float64.*model\.float/,
    ],
    [
      "values that have no logarithm",
      foreign({ node: [node("Flatten", ["x"], ["f"]), node("Log", ["f"], ["l"]), node("MatMul", ["l", "w"], ["y"])] }),
      /NaN or an infinite score.*preprocessing/,
    ],
    [
      "other operators",
      foreign({ node: [{ ...node("FusedConv", ["x"], ["y"]), domain: "com.microsoft" }] }),
      /FusedConv \(y\) is of com\.microsoft/,
    ],
    ["branches", foreign({ node: [{ ...node("If", ["x"], ["y"]), attribute: [inner] }] }), /If and Loop/],
    [
      "batch normalization in training",
      foreign({ node: [node("BatchNormalization", ["x", "w", "w", "w", "w"], ["y"], { training_mode: 1 })] }),
      /model\.eval/,
    ],
    [
      "samples of another shape",
      foreign({ input: [valueInfo("x", 1, [-1, 3, 32, 32])] }),
      /takes \[n, 3, 32, 32\], but/,
    ],
    ["free sizes", foreign({ input: [valueInfo("x", 1, [-1, -1, -1, -1])] }), /which axis the channels are/],
    [
      "an output of another rank",
      foreign({ node: [node("Relu", ["x"], ["y"])], output: [valueInfo("y", 1, [-1, 1, 8, 8])] }),
      /gives \[-1, 1, 8, 8\].*\[n, classes\]/,
    ],
    [
      "a batch that is written into the graph",
      foreign({
        input: [valueInfo("x", 1, [1, 1, 8, 8])],
        output: [valueInfo("y", 1, [1, 4])],
        node: [
          node("Reshape", ["x", "columns"], ["t"]),
          node("Transpose", ["t"], ["u"], { perm: [1, 0] }),
          node("MatMul", ["u", "w"], ["y"]),
        ],
        initializer: [
          tensor("columns", [2], BigInt64Array.of(64n, 1n)),
          tensor("w", [64, 4], new Float32Array(256).fill(1)),
        ],
      }),
      /fixed at 1 for good.*dynamic_axes=\{"x"/,
    ],
    [
      "samples that depend on each other",
      foreign({
        node: [
          node("Flatten", ["x"], ["f"]),
          node("ReduceMean", ["f"], ["m"], { axes: [0] }),
          node("Sub", ["f", "m"], ["c"]),
          node("MatMul", ["c", "w"], ["y"]),
        ],
      }),
      /otherwise than each alone/,
    ],
  ];

  it.each(cases)("is refused when it holds %s", async (_what, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(message);
    await expect(read(bytes)).rejects.toMatchObject({ code: expect.stringMatching(/unsupported|corrupt/) });
  });
});
