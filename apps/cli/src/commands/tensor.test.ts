import { AppError } from "@whittle/contracts";
import type { ServedModel } from "@whittle/sdk";
import { describe, expect, it } from "vitest";
import { inputsOf, readNested } from "./tensor.ts";

const image = { name: "x", datatype: "FP32", shape: [-1, 2, 2] } as const;
const model = (...inputs: (typeof image)[]): ServedModel => ({
  name: "m",
  platform: "onnx_onnxv1",
  inputs: inputs.map((input) => ({ ...input, shape: [...input.shape] })),
  outputs: [],
});

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid_request") return error.message;
  }
  throw new Error("expected a refusal");
}

describe("a nested array", () => {
  it.each([
    [[1, 2], [2], [1, 2]],
    [
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ],
    [[[[1], [2]]], [1, 2, 1], [1, 2]],
    [[[], []], [2, 0], []],
  ])("%j has the shape %j and the numbers %j", (value, shape, data) => {
    expect(readNested(value, "--input")).toEqual({ shape, data });
  });

  it.each([
    [[[1, 2], [3]], "[1] must be a list of 2, as the first one there is, not of 1"],
    [
      [
        [1, 2],
        [3, 4, 5],
      ],
      "[1] must be a list of 2, as the first one there is, not of 3",
    ],
    [
      [
        [[1], [2]],
        [[3], [4, 5]],
      ],
      "[1][1] must be a list of 1, as the first one there is, not of 2",
    ],
    [[[1, 2], 3], "[1] must be a list of 2, as the first one there is, not 3"],
    [[1, [2]], "[1] must be a number, not a list"],
    [[[1, "a"]], '[0][1] must be a number, not "a"'],
    [[[null]], "[0][0] must be a number, not null"],
  ])("%j is refused with the place where it is wrong", (value, message) => {
    expect(messageOf(() => readNested(value, "--input"))).toBe(`--input: ${message}`);
  });
});

describe("an input", () => {
  it("is a bare array for the model's one input", () => {
    expect(
      inputsOf(
        model(image),
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
        "--input",
      ),
    ).toEqual([{ name: "x", datatype: "FP32", shape: [1, 2, 2], data: [1, 2, 3, 4] }]);
  });

  it("or the protocol's inputs, their data nested or not", () => {
    const inputs = [
      {
        name: "x",
        datatype: "FP32",
        shape: [1, 2, 2],
        data: [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      },
      { name: "y", datatype: "INT32", shape: [2], data: [5, 6] },
    ];
    expect(inputsOf(model(), { inputs }, "--input").map(({ data }) => data)).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
  });

  it.each(["x", 3, null, true])("that is %j is answered with what the model takes", (value) => {
    expect(messageOf(() => inputsOf(model(image), value, "--input"))).toBe(
      "--input must be a nested array of numbers of shape [n, 2, 2] (n: any number of samples), " +
        `the protocol's {"inputs": [{name, datatype, shape, data}]}, or @file.json with it, not ${JSON.stringify(value)}`,
    );
  });

  it("names the field of the protocol's inputs that is wrong", () => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], data: [[1, 2], [3]] }];
    const refusal = (value: unknown) => messageOf(() => inputsOf(model(image), value, "--input"));
    expect(refusal({ inputs })).toBe(
      "--input: inputs.0.data: [1] must be a list of 2, as the first one there is, not of 1",
    );
    expect(refusal({ inputs: [{ ...inputs[0], datatype: "F32" }] })).toMatch(/inputs.0.datatype: must be .*"FP32"/);
    expect(refusal({ input: inputs })).toMatch(/inputs: is missing/);
  });

  it("that is an array is refused by a model with several inputs", () => {
    expect(messageOf(() => inputsOf(model(image, { ...image, name: "x" }), [[1]], "--input"))).toContain(
      "the inputs x, x",
    );
  });
});
