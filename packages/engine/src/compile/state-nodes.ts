import { attr, DataType, type Put } from "./graph-writer.ts";
import type { Spec } from "./program.ts";

/** When this is done, variables may change. */
export const ready = "ready";

/** The node of a variable that the graph keeps. */
export function keptName(at: number): string {
  return `kept${at}`;
}

/**
 * What can be run of a graph that keeps variables, besides the function: their assignment, one input for each, and reading them for
 * the last time, one output for each. Each has a value to fetch for what happens before it, as a run without one does nothing.
 */
export const stateEntries = {
  /** The variables' change in a run of the function. */
  updated: "updated:0",
  write: { input: (at: number) => `in${at}`, done: "written:0" },
  take: { output: (at: number) => `out${at}:0`, done: "dropped:0" },
};

/** How a kept variable changes: `value` (`name:output`) is assigned after the nodes `after`, or is there when these are done. */
export interface Change {
  of: Spec;
  value?: string;
  after: string[];
}

/**
 * The variables that a graph keeps, and all that happens to them but what Adam does.
 * @param ends when these nodes are done, everything is that could fail: a run that fails changes no variable.
 */
export function emitState(changes: Change[], ends: string[], put: Put): void {
  put(ready, "NoOp", controls(ends), {});
  for (const [at, { of }] of changes.entries()) emitVariable(keptName(at), of, put);
  const assign = (name: string, at: number, value: string, { of, after }: Change) =>
    put(name, "AssignVariableOp", [`${keptName(at)}:0`, value, ...controls(after)], { dtype: attr.type(of.dtype) });
  const updated = changes.flatMap((change, at) =>
    change.value === undefined ? change.after : [assign(`update${at}`, at, change.value, change)],
  );
  const written = changes.map(({ of }, at) => {
    const input = put(stateEntries.write.input(at), "Placeholder", [], placeholder(of));
    return assign(`write${at}`, at, `${input}:0`, { of, after: [] });
  });
  const dropped = changes.map(({ of }, at) => {
    const handle = `${keptName(at)}:0`;
    put(`out${at}`, "ReadVariableOp", [handle], { dtype: attr.type(of.dtype) });
    return put(`drop${at}`, "DestroyResourceOp", [handle, `^out${at}`], {});
  });
  for (const [name, after] of Object.entries({ updated, written, dropped })) {
    const value = attr.tensor({ shape: [], dtype: DataType.int32 }, Int32Array.of(0));
    put(name, "Const", controls(after), { dtype: attr.type(DataType.int32), value });
  }
}

/** A variable of TensorFlow's, which has no value before it is assigned one. @returns the node's name. */
export function emitVariable(name: string, of: Spec, put: Put): string {
  return put(name, "VarHandleOp", [], { ...placeholder(of), shared_name: attr.string(name) });
}

export function controls(nodes: string[]): string[] {
  return nodes.map((name) => `^${name}`);
}

function placeholder({ shape, dtype }: Spec) {
  return { dtype: attr.type(dtype), shape: attr.shape(shape) };
}
