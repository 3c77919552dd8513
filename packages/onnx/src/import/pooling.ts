import { indexGraph } from "../graph-index.ts";
import type { Node, OnnxModel, Tensor } from "../proto/model.ts";
import { intAttribute, node as makeNode } from "../proto/node.ts";
import { DataType, tensorData } from "../proto/tensor.ts";

/**
 * Means over both axes of an image as GlobalAveragePool, which has an integer kernel. PyTorch's newer exporter writes
 * AdaptiveAvgPool2d(1) as such a mean.
 * @param model with its shapes declared
 */
export function poolMeans(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const index = indexGraph(graph);
  const node = graph.node.flatMap((each) => {
    const [image = "", axes = ""] = each.input;
    return each.opType === "ReduceMean" &&
      index.shape(image).length === 4 &&
      isSpatial(axesOf(each, index.constants.get(axes)))
      ? pooled(each, image)
      : [each];
  });
  return { ...model, graph: { ...graph, node } };
}

function axesOf({ attribute }: Node, input: Tensor | undefined): number[] {
  const given = attribute.find(({ name }) => name === "axes")?.ints;
  return given ?? (input?.dataType === DataType.INT64 ? Array.from(tensorData(input), Number) : []);
}

function isSpatial(axes: readonly number[]): boolean {
  const sorted = axes.map((axis) => (axis < 0 ? axis + 4 : axis)).toSorted((a, b) => a - b);
  return sorted.join() === "2,3";
}

/** The last node keeps the name, so that none has that of another. */
function pooled(from: Node, image: string): Node[] {
  const { name = "" } = from;
  const [output = ""] = from.output;
  if (intAttribute(from, "keepdims", 1) === 1) return [{ ...makeNode("GlobalAveragePool", [image], [output]), name }];
  const pool = { ...makeNode("GlobalAveragePool", [image], [`${output}/mean`]), name: `${name}/mean` };
  return [pool, { ...makeNode("Flatten", [`${output}/mean`], [output]), name }];
}
