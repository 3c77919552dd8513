import type { Attribute, Graph, OnnxModel, Tensor } from "../proto/model.ts";
import { tensor } from "../proto/tensor.ts";

/** Constant nodes as initializers, where everything else looks for constants; those of strings stay. */
export function liftConstants(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const lifted = new Map(
    graph.node.flatMap((node) => {
      const [only] = node.opType === "Constant" ? node.attribute : [];
      const made = only && constantOf(node.output[0] ?? "", only);
      return made ? [[node, made] as const] : [];
    }),
  );
  const changed: Graph = {
    ...graph,
    node: graph.node.filter((node) => !lifted.has(node)),
    initializer: [...graph.initializer, ...lifted.values()],
  };
  return { ...model, graph: changed };
}

function constantOf(output: string, { name, t, f, i, floats, ints }: Attribute): Tensor | undefined {
  const long = (values: readonly number[]) => BigInt64Array.from(values, BigInt);
  switch (name) {
    case "value":
      return t && { ...t, name: output };
    case "value_float":
      return tensor(output, [], Float32Array.of(f ?? 0));
    case "value_floats":
      return tensor(output, [floats?.length ?? 0], Float32Array.from(floats ?? []));
    case "value_int":
      return tensor(output, [], long([i ?? 0]));
    case "value_ints":
      return tensor(output, [ints?.length ?? 0], long(ints ?? []));
    default:
      return undefined;
  }
}
