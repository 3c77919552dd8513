import type { Node, OnnxModel, Tensor } from "../proto/model.ts";
import { DataType, tensor, tensorData } from "../proto/tensor.ts";

/**
 * Lets a model that was exported for a fixed number of samples take any: the Reshapes that name that number first take it from their
 * input. Whether that was all that fixed it, running the model must tell.
 * @param batch the number of samples that it was exported for
 */
export function freeBatch(model: OnnxModel, batch: number): OnnxModel {
  const { graph } = model;
  const constants = new Map(graph.initializer.map((each) => [each.name, each]));
  const shapes: Tensor[] = [];
  const node = graph.node.map((each) => {
    const target = each.opType === "Reshape" ? constants.get(each.input[1] ?? "") : undefined;
    return target?.dataType === DataType.INT64 ? freeReshape(each, target, batch, shapes) : each;
  });
  return { ...model, graph: { ...graph, node, initializer: [...graph.initializer, ...shapes] } };
}

function freeReshape(from: Node, target: Tensor, batch: number, shapes: Tensor[]): Node {
  const [first, ...rest] = Array.from(tensorData(target), Number);
  if (first !== batch || rest.includes(0)) return from;
  // -1 is what the other sizes leave, and may stand once; 0 is the input's own size on that axis.
  const free = tensor(
    `${from.output[0]}/freed_shape`,
    [rest.length + 1],
    BigInt64Array.from([rest.includes(-1) ? 0 : -1, ...rest], BigInt),
  );
  shapes.push(free);
  const attribute = from.attribute.filter(({ name }) => name !== "allowzero");
  return { ...from, input: [from.input[0] ?? "", free.name], attribute };
}
