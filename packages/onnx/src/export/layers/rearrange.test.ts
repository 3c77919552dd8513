import { describe, expect, it } from "vitest";
import { createSession } from "../../runtime/session.ts";
import { sequential, signature, weight, type TestLayer } from "../../test-models.ts";
import { exportOnnx } from "../export.ts";

async function run(layers: TestLayer[], input: number[], output: number[], values: number[]) {
  const bytes = exportOnnx({
    topology: sequential(input, layers),
    weights: { "conv/kernel": weight([1, 1, 1, 2], [1, 10]) },
    signature: signature(input, output),
  });
  const session = await createSession(bytes);
  const { logits } = await session.run({
    x: { shape: [1, ...input], datatype: "FP32", data: Float32Array.from(values) },
  });
  await session.release();
  return [...(logits?.data ?? [])];
}

const convolution = { kernel_size: 1, strides: 1, padding: "valid", use_bias: false };

describe("Permute", () => {
  it("gives the axes in another order", async () => {
    const layer: TestLayer = ["Permute", "swap", { dims: [2, 1] }];
    expect(await run([layer], [2, 3], [3, 2], [1, 2, 3, 4, 5, 6])).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it("counts Keras' axes after a convolution, whose channels lie first", async () => {
    const layers: TestLayer[] = [
      ["Conv2D", "conv", convolution],
      ["Permute", "swap", { dims: [3, 1, 2] }],
    ];
    expect(await run(layers, [1, 2, 1], [2, 1, 2], [3, 4])).toEqual([3, 4, 30, 40]);
  });

  it("refuses axes that are not those of its input", () => {
    const make = () => run([["Permute", "swap", { dims: [1, 3, 2] }]], [2, 3], [3, 2], []);
    return expect(make).rejects.toThrow(/dims \[1, 3, 2\] don't order the 2 axes/);
  });
});

describe("ZeroPadding2D", () => {
  const padding = [
    [1, 0],
    [0, 2],
  ];

  it("pads rows and columns", async () => {
    const layer: TestLayer = ["ZeroPadding2D", "pad", { padding }];
    expect(await run([layer], [1, 2, 1], [2, 4, 1], [3, 4])).toEqual([0, 0, 0, 0, 3, 4, 0, 0]);
  });

  it("pads rows and columns after a convolution, whose channels lie first", async () => {
    const layers: TestLayer[] = [
      ["Conv2D", "conv", convolution],
      ["ZeroPadding2D", "pad", { padding }],
    ];
    const rows = [0, 0, 0, 0, 0, 0, 0, 0, 3, 30, 4, 40, 0, 0, 0, 0];
    expect(await run(layers, [1, 2, 1], [2, 4, 2], [3, 4])).toEqual(rows);
  });

  it("refuses channels that come first", () => {
    const config = { padding, data_format: "channels_first" };
    return expect(() => run([["ZeroPadding2D", "pad", config]], [1, 2, 1], [2, 4, 1], [])).rejects.toThrow(
      /channels_first/,
    );
  });
});
