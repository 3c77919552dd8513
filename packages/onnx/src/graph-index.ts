import { AppError } from "@whittle/contracts";
import type { Graph, Node, Tensor, ValueInfo } from "./proto/model.ts";
import { shapeOf, sizesOfSample } from "./proto/node.ts";

/** Look-ups in a graph by the names of its tensors. */
export interface GraphIndex {
  constants: ReadonlyMap<string, Tensor>;
  producers: ReadonlyMap<string, Node>;
  /** The nodes that read a tensor. */
  readers(name: string): Node[];
  /** Declared sizes of what belongs to one sample. @throws AppError as `shape` does. */
  sizes(name: string): number[];
  /** Declared shape, -1 where a size is not fixed. @throws AppError `unsupported` when it is not declared. */
  shape(name: string): number[];
}

export function indexGraph(graph: Graph): GraphIndex {
  const readers = new Map<string, Node[]>();
  for (const node of graph.node) {
    for (const name of new Set(node.input)) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const infos = new Map([...graph.input, ...graph.valueInfo, ...graph.output].map((info) => [info.name, info]));
  const declared = (name: string, read: (info: ValueInfo) => number[] | undefined) => {
    const info = infos.get(name);
    const sizes = info && read(info);
    if (sizes) return sizes;
    throw new AppError(
      "unsupported",
      `The model does not declare the shape of ${name}; run shape inference on it first.`,
    );
  };
  return {
    constants: new Map(graph.initializer.map((tensor) => [tensor.name, tensor])),
    producers: new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node]))),
    readers: (name) => readers.get(name) ?? [],
    sizes: (name) => declared(name, sizesOfSample),
    shape: (name) => declared(name, shapeOf),
  };
}
