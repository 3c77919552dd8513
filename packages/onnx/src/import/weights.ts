import type { Node, OnnxModel, Tensor } from "../proto/model.ts";
import { intAttribute } from "../proto/node.ts";
import { DataType } from "../proto/tensor.ts";

/** What the places of a weight that several nodes read mean: they share its integers only where that is the same. */
const roleOf = (node: Node, input: number) => `${node.opType} ${input} ${intAttribute(node, "transB", 0)}`;

/**
 * Keeps the constants that are read, in the order in which they are, so that the same model always gives the same bytes; one that nodes of
 * different kinds read, as a matrix and as a table for instance, once for each kind.
 */
export function arrangeConstants(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const constants = new Map(graph.initializer.map((each) => [each.name, each]));
  const roles = new Map<string, Map<string, Tensor>>();
  const read = (node: Node, name: string, input: number): string => {
    const constant = constants.get(name);
    if (!constant) return name;
    const isWeight = constant.dataType === DataType.FLOAT && constant.dims.length > 1;
    const ofRoles = roles.get(name) ?? new Map<string, Tensor>();
    roles.set(name, ofRoles);
    const role = isWeight ? roleOf(node, input) : "";
    const known = ofRoles.get(role) ?? { ...constant, name: ofRoles.size === 0 ? name : `${name}/copy${ofRoles.size}` };
    ofRoles.set(role, known);
    return known.name;
  };
  const node = graph.node.map((each) => ({ ...each, input: each.input.map((name, at) => read(each, name, at)) }));
  const initializer = [...roles.values()].flatMap((ofRoles) => [...ofRoles.values()]);
  return { ...model, graph: { ...graph, node, initializer } };
}
