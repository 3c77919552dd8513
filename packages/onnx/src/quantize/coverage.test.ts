import { expect, it } from "vitest";
import type { Node, Tensor } from "../proto/model.ts";
import { node } from "../proto/node.ts";
import { tensor } from "../proto/tensor.ts";
import { coverageOf } from "./coverage.ts";

const floats = (name: string, ...dims: number[]) =>
  tensor(name, dims, new Float32Array(dims.reduce((product, size) => product * size, 1)));

function coverage(nodes: Node[], initializer: Tensor[], taken: string[]) {
  const graph = { name: "g", node: nodes, initializer, input: [], output: [], valueInfo: [] };
  return coverageOf(graph, "static", ({ name }) => taken.includes(name));
}

it("counts no bias and no slope, however its shape is written", () => {
  const nodes = [
    node("Conv", ["x", "kernel"], ["c"]),
    node("PRelu", ["c", "slope"], ["p"]),
    node("Flatten", ["p"], ["f"]),
    node("Gemm", ["f", "dense", "row"], ["g"]),
    node("Add", ["g", "shift"], ["y"]),
  ];
  const weights = [floats("kernel", 8, 1, 3, 3), floats("dense", 8, 4)];
  const vectors = [floats("slope", 8, 1, 1), floats("row", 1, 4), floats("shift", 1, 4)];
  expect(coverage(nodes, [...weights, ...vectors], ["kernel", "dense"])).toEqual({ covered: 1, left: [] });
});

it("counts a layer of one input or one output, and what is as large as a weight: slopes of every place, positions", () => {
  const nodes = [
    node("MatMul", ["x", "wide"], ["a"]),
    node("PRelu", ["a", "slopes"], ["p"]),
    node("Add", ["p", "positions"], ["q"]),
    node("MatMul", ["q", "narrow"], ["y"]),
  ];
  const constants = [
    floats("wide", 1, 6),
    floats("slopes", 5, 6),
    floats("positions", 1, 5, 6),
    floats("narrow", 6, 1),
  ];
  const { covered, left } = coverage(nodes, constants, ["wide"]);
  // 6 of 6 + 30 + 30 + 6 weights.
  expect(covered).toBeCloseTo(6 / 72);
  expect(left.map(({ name, weights }) => [name, weights])).toEqual([
    ["slopes", 30],
    ["positions", 30],
    ["y", 6],
  ]);
});
