import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { decodeModel } from "../proto/model.ts";
import { createSession } from "../runtime/session.ts";
import {
  functional,
  noise,
  sequential,
  signature,
  smallCnn,
  weight,
  type TestCall,
  type TestLayer,
} from "../test-models.ts";
import { exportOnnx, exportTraced } from "./export.ts";

const operators = (bytes: Uint8Array) => decodeModel(bytes).graph.node.map(({ opType }) => opType);

async function run(bytes: Uint8Array, shape: number[], data: Iterable<number>) {
  const session = await createSession(bytes);
  const results = await session.run({ x: { shape, datatype: "FP32", data: Float32Array.from(data) } });
  await session.release();
  return results["logits"];
}

function failure(make: () => unknown): AppError {
  try {
    make();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("exporting", () => {
  it("writes a dense layer with its weights as they are", async () => {
    const bytes = exportOnnx({
      topology: sequential([2], [["Dense", "dense", { units: 2, activation: "relu" }]]),
      weights: { "dense/kernel": weight([2, 2], [1, -1, 2, -2]), "dense/bias": weight([2], [0.5, 0.25]) },
      signature: signature([2], [2]),
    });
    expect(operators(bytes)).toEqual(["Gemm", "Relu"]);
    expect((await run(bytes, [1, 2], [3, 4]))?.data).toEqual(Float32Array.of(11.5, 0));
  });

  it("pads as TensorFlow does, with the odd row and column at the end", async () => {
    const convolution = { kernel_size: 2, strides: 1, padding: "same", use_bias: false };
    const bytes = exportOnnx({
      topology: sequential([2, 2, 1], [["Conv2D", "conv", convolution]]),
      weights: { "conv/kernel": weight([2, 2, 1, 1], [1, 10, 100, 1000]) },
      signature: signature([2, 2, 1], [2, 2, 1]),
    });
    expect((await run(bytes, [1, 2, 2, 1], [1, 2, 3, 4]))?.data).toEqual(Float32Array.of(4321, 402, 43, 4));
  });

  it("transposes images once and orders the weights after a flattening instead of the values", async () => {
    const convolution = { kernel_size: 1, strides: 1, padding: "valid", use_bias: false };
    const layers: TestLayer[] = [
      ["Conv2D", "conv", convolution],
      ["Flatten", "flatten"],
      ["Dropout", "dropout", { rate: 0.5 }],
      ["Dense", "dense", { units: 1, use_bias: false }],
    ];
    const bytes = exportOnnx({
      topology: sequential([1, 2, 2], layers),
      weights: {
        "conv/kernel": weight([1, 1, 2, 2], [1, 0, 0, 1]),
        "dense/kernel": weight([4, 1], [1, 10, 100, 1000]),
      },
      signature: signature([1, 2, 2], [1]),
    });
    expect(operators(bytes)).toEqual(["Transpose", "Conv", "Flatten", "Gemm"]);
    expect((await run(bytes, [1, 1, 2, 2], [1, 2, 3, 4]))?.data).toEqual(Float32Array.of(4321));
  });
});

describe("a batch normalization", () => {
  it("is folded into the layer before it", async () => {
    const layers: TestLayer[] = [
      ["Dense", "dense", { units: 2 }],
      ["BatchNormalization", "norm", { epsilon: 0 }],
    ];
    const bytes = exportOnnx({
      topology: sequential([1], layers),
      weights: {
        "dense/kernel": weight([1, 2], [2, 3]),
        "dense/bias": weight([2], [1, 1]),
        "norm/gamma": weight([2], [1, 2]),
        "norm/beta": weight([2], [0.5, 0]),
        "norm/moving_mean": weight([2], [3, 4]),
        "norm/moving_variance": weight([2], [4, 1]),
      },
      signature: signature([1], [2]),
    });
    expect(operators(bytes)).toEqual(["Gemm"]);
    // x = 5: dense gives (11, 16); normalized (11 - 3) / 2 + 0.5 and 2 (16 - 4).
    expect((await run(bytes, [1, 1], [5]))?.data).toEqual(Float32Array.of(4.5, 24));
  });

  it("is folded into a depthwise convolution", async () => {
    const layers: TestLayer[] = [
      ["DepthwiseConv2D", "conv", { kernel_size: 1, strides: 1, padding: "valid", use_bias: false }],
      ["BatchNormalization", "norm", { epsilon: 0 }],
    ];
    const bytes = exportOnnx({
      topology: sequential([1, 1, 2], layers),
      weights: {
        "conv/depthwise_kernel": weight([1, 1, 2, 1], [2, 3]),
        "norm/gamma": weight([2], [1, 2]),
        "norm/beta": weight([2], [0.5, 0]),
        "norm/moving_mean": weight([2], [3, 4]),
        "norm/moving_variance": weight([2], [4, 1]),
      },
      signature: signature([1, 1, 2], [1, 1, 2]),
    });
    expect(operators(bytes)).toEqual(["Transpose", "Conv", "Transpose"]);
    // (5, 6): the convolution gives (10, 18); normalized (10 - 3) / 2 + 0.5 and 2 (18 - 4).
    expect((await run(bytes, [1, 1, 1, 2], [5, 6]))?.data).toEqual(Float32Array.of(4, 28));
  });

  it("stays when its input is also read elsewhere", () => {
    const calls: TestCall[] = [
      ["Dense", "dense", ["in"], { units: 2, use_bias: false }],
      ["BatchNormalization", "norm", ["dense"], { scale: false, center: false }],
      ["Add", "add", ["dense", "norm"]],
    ];
    const bytes = exportOnnx({
      topology: functional([2], calls),
      weights: {
        "dense/kernel": weight([2, 2], [1, 2, 3, 4]),
        "norm/moving_mean": weight([2], [0, 0]),
        "norm/moving_variance": weight([2], [1, 1]),
      },
      signature: signature([2], [2]),
    });
    expect(operators(bytes)).toEqual(["Gemm", "BatchNormalization", "Add"]);
  });
});

describe("an export", () => {
  it("gives the same bytes every time", () => {
    expect(smallCnn()).toEqual(smallCnn());
  });

  it("names the layer that it can't write", () => {
    const topology = sequential([4, 4], [["SimpleRNN", "memory", { units: 3 }]]);
    const error = failure(() => exportOnnx({ topology, weights: {}, signature: signature([4, 4], [3]) }));
    expect(error.code).toBe("unsupported");
    expect(error.message).toMatch(/Layer memory \(SimpleRNN\)/);
  });

  it("refuses channels-first layers, unknown activations and open sizes", () => {
    const layers: [TestLayer, RegExp][] = [
      [["Activation", "act", { activation: "fancy" }], /act.*fancy/],
      [
        ["MaxPooling2D", "pool", { pool_size: 2, strides: 2, padding: "valid", data_format: "channels_first" }],
        /channels_first/,
      ],
    ];
    for (const [layer, message] of layers) {
      const make = () =>
        exportOnnx({ topology: sequential([4, 4, 1], [layer]), weights: {}, signature: signature([4, 4, 1], [1]) });
      expect(failure(make).code).toBe("unsupported");
      expect(failure(make).message).toMatch(message);
    }
    const open = {
      class_name: "Sequential",
      config: { layers: [{ class_name: "Flatten", config: { name: "f", batch_input_shape: [null, null, 3] } }] },
    };
    expect(failure(() => exportOnnx({ topology: open, weights: {}, signature: signature([3], [3]) })).message).toMatch(
      /must be fixed/,
    );
  });

  it("says which weight is missing and which shape the signature should have", () => {
    const topology = sequential([2], [["Dense", "dense", { units: 2 }]]);
    const missing = failure(() => exportOnnx({ topology, weights: {}, signature: signature([2], [2]) }));
    expect(missing.issues).toEqual([expect.objectContaining({ path: "weights.dense/kernel" })]);
    const weights = { "dense/kernel": weight([2, 2], noise(4)), "dense/bias": weight([2], noise(2)) };
    const wrong = failure(() => exportOnnx({ topology, weights, signature: signature([2], [3]) }));
    expect(wrong.issues).toEqual([{ path: "signature.outputs.0", message: "is FP32 [-1, 3], must be FP32 [-1, 2]" }]);
  });

  it("says what is wrong in a layer's configuration", () => {
    const topology = sequential([2], [["Dense", "dense", { units: "two" }]]);
    const error = failure(() => exportOnnx({ topology, weights: {}, signature: signature([2], [2]) }));
    expect(error.code).toBe("invalid_request");
    expect(error.issues[0]?.path).toBe("dense.config.units");
  });
});

describe("tracing", () => {
  it("tells the tensor of each layer's output, under the name that the graph has in the end", () => {
    const convolution = { kernel_size: 1, strides: 1, padding: "valid", use_bias: false, activation: "relu" };
    const { model, tensors } = exportTraced({
      topology: sequential(
        [2, 2, 1],
        [
          ["Conv2D", "conv", convolution],
          ["Dropout", "dropout"],
          ["GlobalAveragePooling2D", "average"],
          ["Dense", "dense", { units: 2 }],
        ],
      ),
      weights: {
        "conv/kernel": weight([1, 1, 1, 2], [1, 2]),
        "dense/kernel": weight([2, 2], [1, 2, 3, 4]),
        "dense/bias": weight([2], [0, 0]),
      },
      signature: signature([2, 2, 1], [2]),
    });
    expect(Object.fromEntries(tensors)).toMatchObject({
      input: "x",
      conv: "conv/relu",
      dropout: "conv/relu",
      dense: "logits",
    });
    const { graph } = decodeModel(model);
    const written = new Set(["x", ...graph.node.flatMap(({ output }) => output)]);
    expect([...tensors.values()].filter((name) => !written.has(name))).toEqual([]);
  });
});
