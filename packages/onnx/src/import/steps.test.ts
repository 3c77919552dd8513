import { describe, expect, it } from "vitest";
import type { Graph, Node, OnnxModel, Tensor } from "../proto/model.ts";
import { intAttribute, node, valueInfo } from "../proto/node.ts";
import { tensor, tensorData } from "../proto/tensor.ts";
import { disagreement } from "./agreement.ts";
import { freeBatch } from "./batch.ts";
import { liftConstants } from "./constants.ts";
import { layoutOf } from "./layout.ts";
import { opsetOf } from "./read.ts";
import { raiseOpset } from "./opset.ts";
import { withoutSoftmax } from "./output.ts";

const longs = (name: string, ...values: number[]) => tensor(name, [values.length], BigInt64Array.from(values, BigInt));

function modelOf(nodes: Node[], initializer: Tensor[] = [], opset = 13): OnnxModel {
  const graph: Graph = { name: "g", node: nodes, initializer, input: [], output: [], valueInfo: [] };
  return { irVersion: 8, opsetImport: [{ domain: "", version: opset }], graph };
}

const numbersOf = ({ graph }: OnnxModel, name: string) => {
  const found = graph.initializer.find((each) => each.name === name);
  return found && [...tensorData(found)].map(Number);
};

describe("constants", () => {
  const constant = (output: string, attribute: Partial<Node["attribute"][number]>) => ({
    ...node("Constant", [], [output]),
    attribute: [{ type: 0, name: "value", ...attribute }],
  });

  it("become initializers, whichever attribute holds them; strings stay", () => {
    const lifted = liftConstants(
      modelOf([
        constant("a", { t: longs("inner", 1, 2) }),
        constant("b", { name: "value_float", f: 0.5 }),
        constant("c", { name: "value_floats", floats: [1.5, 2.5] }),
        constant("d", { name: "value_int", i: 3 }),
        constant("e", { name: "value_ints", ints: [4, 5] }),
        constant("f", { name: "value_string", s: new Uint8Array(1) }),
      ]),
    );
    expect(lifted.graph.node.map(({ output }) => output)).toEqual([["f"]]);
    expect(["a", "b", "c", "d", "e"].map((name) => numbersOf(lifted, name))).toEqual([
      [1, 2],
      [0.5],
      [1.5, 2.5],
      [3],
      [4, 5],
    ]);
    expect(lifted.graph.initializer.map(({ dims }) => dims)).toEqual([[2], [], [2], [], [2]]);
  });
});

describe("the opset", () => {
  it("is raised to 18, with axes as an input and the number of parts written out", () => {
    const before = modelOf([
      node("ReduceMax", ["x"], ["m"], { axes: [2, 3], keepdims: 0 }),
      node("ReduceSum", ["x", "axes"], ["s"]),
      node("Split", ["x"], ["p", "q"], { axis: 1 }),
      node("Split", ["x", "sizes"], ["r", "t"]),
    ]);
    const raised = raiseOpset(before);
    const [max, sum, even, sized] = raised.graph.node;
    expect(opsetOf(raised)).toBe(18);
    expect(max).toMatchObject({ input: ["x", "m/axes"], attribute: [{ name: "keepdims", i: 0 }] });
    expect(numbersOf(raised, "m/axes")).toEqual([2, 3]);
    expect(even && [intAttribute(even, "axis", 0), intAttribute(even, "num_outputs", 0)]).toEqual([1, 2]);
    expect([sum, sized]).toEqual([before.graph.node[1], before.graph.node[3]]);
  });

  it("stays where it is high enough, or an operator would mean something else", () => {
    const newer = modelOf([node("ReduceMax", ["x"], ["m"], { axes: [1] })], [], 20);
    expect(raiseOpset(newer)).toBe(newer);
    const aligned = modelOf([node("RoiAlign", ["x", "r", "b"], ["y"])], [], 15);
    expect(raiseOpset(aligned)).toBe(aligned);
  });
});

describe("a fixed batch", () => {
  it.each([
    ["is what the other sizes leave", [2, 3, 4], [-1, 3, 4]],
    ["is the input's where they leave another", [2, 3, -1], [0, 3, -1]],
    ["is left where the shape begins otherwise", [6, 4], [6, 4]],
    ["is left where a size is taken from the input by its place", [2, 0], [2, 0]],
  ])("in a Reshape %s", (_what, shape, expected) => {
    const freed = freeBatch(modelOf([node("Reshape", ["x", "s"], ["y"])], [longs("s", ...shape)]), 2);
    expect(numbersOf(freed, freed.graph.node[0]?.input[1] ?? "")).toEqual(expected);
    expect(numbersOf(freed, "s")).toEqual(shape);
  });
});

describe("the Softmax at the end", () => {
  const scores = node("Relu", ["x"], ["a"]);
  it("is taken off where it is over the classes and nothing else reads the scores", () => {
    const taken = withoutSoftmax(modelOf([scores, node("Softmax", ["a"], ["logits"], { axis: -1 })]));
    expect(taken?.graph.node).toEqual([{ ...scores, output: ["logits"] }]);
    expect(withoutSoftmax(modelOf([scores, node("Softmax", ["a"], ["logits"], { axis: 0 })]))).toBeUndefined();
    expect(withoutSoftmax(modelOf([scores, node("LogSoftmax", ["a"], ["logits"])]))).toBeUndefined();
    const also = node("Neg", ["a"], ["b"]);
    expect(withoutSoftmax(modelOf([scores, also, node("Softmax", ["a"], ["logits"])]))).toBeUndefined();
  });
});

describe("the layout of an input", () => {
  const layout = (declared: number[], sample: number[], channels?: "last" | "first") => {
    const { graph, ...model } = modelOf([]);
    return layoutOf({ ...model, graph: { ...graph, input: [valueInfo("x", 1, declared)] } }, sample, channels);
  };

  it.each([
    [[-1, 2, 3, 4], [2, 3, 4], "same", [2, 3, 4]],
    [[-1, 3, 3, 3], [3, 3, 3], "same", [3, 3, 3]],
    [[1, 4, 2, 3], [2, 3, 4], "channels first", [4, 2, 3]],
    [[8, 4, -1, -1], [2, 3, 4], "channels first", [4, 2, 3]],
    [[-1, 6], [2, 3, 1], "reshaped", [6]],
    [[-1, 2, -1], [2, 3, 1], "reshaped", [2, 3]],
    [[-1, 5], [5], "same", [5]],
    [[-1, 5, 20], [20, 5], "channels first", [5, 20]],
    [[-1, 1, 20, 5], [20, 5], "reshaped", [1, 20, 5]],
    [[-1, 3, 2, 2], [12], "reshaped", [3, 2, 2]],
  ])("declared as %j for samples of %j is %s", (declared, sample, kind, shape) => {
    expect(layout(declared, sample)).toMatchObject({ batch: declared[0], kind, shape });
  });

  it.each([
    [[-1, 1, 6, 10], [10, 6, 1], /takes \[n, 1, 6, 10\], but the samples are \[n, 10, 6, 1\]/],
    [[-1, 1, 5, 20], [20, 5], /takes \[n, 1, 5, 20\], but/],
    [[-1, 100], [20, 5], /channels may be in either order/],
  ])("declared as %j for samples of %j is refused, since values would change places", (declared, sample, message) => {
    expect(() => layout(declared, sample)).toThrow(message);
  });

  it.each([
    [[-1, 8, 8, 8], [8, 8, 8], undefined, "same", true],
    [[-1, 8, 8, 8], [8, 8, 8], "last", "same", false],
    [[-1, 8, 8, 8], [8, 8, 8], "first", "channels first", false],
    [[-1, 5, 5], [5, 5], undefined, "same", true],
    [[-1, -1, -1, -1], [2, 3, 4], "first", "channels first", false],
    [[-1, 2, 3, 4], [2, 3, 4], undefined, "same", false],
    [[-1, 4, 2, 3], [2, 3, 4], undefined, "channels first", false],
    [[-1, 6], [6], undefined, "same", false],
  ] as const)("declared as %j for samples of %j with channels %s is %s, assumed: %s", (...given) => {
    const [declared, sample, channels, kind, isAssumed] = given;
    expect(layout([...declared], [...sample], channels)).toMatchObject({ kind, isAssumed });
  });

  it("is refused where the channels are not where somebody says", () => {
    expect(() => layout([-1, 4, 2, 3], [2, 3, 4], "last")).toThrow(
      /its channels are not last there\. Leave channels out/,
    );
    expect(() => layout([-1, 24], [2, 3, 4], "first")).toThrow(/not first there/);
  });

  it("brings samples into the file's order", () => {
    // Two pixels of three channels each.
    const { data } = layout([-1, 3, 1, 2], [1, 2, 3]).toFile(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    expect([...data]).toEqual([1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12]);
    const rows = layout([-1, 3, 2], [2, 3]).toFile(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect([...rows.data]).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

describe("answers", () => {
  it("agree within a thousandth, or a ten-thousandth of the largest", () => {
    const expected = Float32Array.of(-100, 1, 0);
    expect(disagreement(expected, Float32Array.of(-100.09, 1.01, -0.009))).toBe(0);
    expect(disagreement(expected, Float32Array.of(-100.2, 1, 0))).toBeCloseTo(0.2);
    expect(disagreement(expected, Float32Array.of(-100, 1, 0.02))).toBeCloseTo(0.02);
    expect(disagreement(expected, Float32Array.of(-100, Number.NaN, 0))).toBe(Infinity);
    expect(disagreement(expected, Float32Array.of(-100, 1))).toBe(Infinity);
  });
});
