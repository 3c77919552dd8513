import type { Node, OnnxModel, Tensor } from "../proto/model.ts";
import { intAttribute, node as makeNode } from "../proto/node.ts";
import { tensor } from "../proto/tensor.ts";
import { opsetOf } from "./read.ts";

/** The opset that has all that quantization writes. */
const OPSET = 18;

/** Reductions whose axes are an attribute before opset 18 and an input from then on; those of ReduceSum have been one since 13. */
const reductions = /^Reduce(?!Sum$)/;
/** Operators that mean something else at 18 than before: the sampling of RoiAlign, and those without a version before 18. */
const changed = new Set(["RoiAlign"]);

/** Raises a model of opset 13 to 17 to 18; one that has an operator whose meaning changed between stays as it is. */
export function raiseOpset(model: OnnxModel): OnnxModel {
  const { graph } = model;
  if (opsetOf(model) >= OPSET || graph.node.some(({ opType }) => changed.has(opType))) return model;
  const axes: Tensor[] = [];
  const node = graph.node.map((each) => {
    if (reductions.test(each.opType)) return withAxesInput(each, axes);
    return each.opType === "Split" ? withOutputCount(each) : each;
  });
  const initializer = [...graph.initializer, ...axes];
  return { ...model, opsetImport: [{ domain: "", version: OPSET }], graph: { ...graph, node, initializer } };
}

function withAxesInput(from: Node, constants: Tensor[]): Node {
  const axes = from.attribute.find(({ name }) => name === "axes")?.ints;
  if (!axes) return from;
  const name = `${from.output[0]}/axes`;
  constants.push(tensor(name, [axes.length], BigInt64Array.from(axes, BigInt)));
  const attribute = from.attribute.filter((each) => each.name !== "axes");
  return { ...from, input: [from.input[0] ?? "", name], attribute };
}

/** Without sizes, the number of equal parts must be said from 18 on. */
function withOutputCount(from: Node): Node {
  if (from.input[1]) return from;
  const { attribute } = makeNode("Split", [], [], {
    axis: intAttribute(from, "axis", 0),
    num_outputs: from.output.length,
  });
  return { ...from, attribute };
}
