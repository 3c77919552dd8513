import type { tf } from "../tf.ts";
import type { OpAttr } from "../runtime/native.ts";

/** What a traced function did, as a graph of nodes, and what came out of it. */
export interface Program {
  nodes: Node[];
  /** Variables whose value changed, with the value they ended with. */
  updates: { variable: tf.Variable; value: Value }[];
  /** The tensors in the function's result, in the order in which {@link mapTensors} meets them. */
  outputs: Output[];
  /** The result itself; its tensors are disposed and only show the structure. */
  result: unknown;
  optimizers: TracedOptimizer[];
}

/** One output of one node. */
export interface Value {
  node: Node;
  output: number;
}

export type Node = Feed | Constant | Draw | Call;

export interface Spec {
  shape: number[];
  /** TensorFlow's DataType number. */
  dtype: number;
}

/** Given anew at every run: a tensor argument, a variable's present value, or a tensor that was made before the trace. */
export interface Feed {
  kind: "feed";
  source:
    | { from: "argument"; index: number }
    | { from: "variable"; variable: tf.Variable }
    | { from: "captured"; dataId: object };
  outputs: [Spec];
  varies: boolean;
}

/** A tensor that the function made from JavaScript numbers. */
export interface Constant {
  kind: "constant";
  values: ArrayLike<unknown>;
  outputs: [Spec];
  varies: false;
  scope: string;
}

export type Distribution = "uniform" | "normal" | "truncated";

/** Random numbers that tfjs drew in JavaScript: `scale * z + offset` with z from the standard distribution. */
export interface Draw {
  kind: "draw";
  distribution: Distribution;
  /** The number from Math.random() that tfjs seeded its generator with, and what the generator gave. */
  seed: number;
  values: ArrayLike<unknown>;
  scale: number;
  offset: number;
  outputs: [Spec];
  varies: true;
  scope: string;
}

export interface Call {
  kind: "call";
  op: string;
  attrs: OpAttr[];
  inputs: Value[];
  outputs: Spec[];
  /** Whether it depends on anything that can differ from run to run. */
  varies: boolean;
  /** The tfjs function that called it, for messages. */
  scope: string;
}

export type Output =
  | { is: "value"; value: Value }
  | { is: "argument"; index: number }
  /** A variable, or a tensor that existed before. */
  | { is: "same"; tensor: tf.Tensor };

/** An optimizer that took a step in the function. A change of its configuration makes the graph invalid. */
export interface TracedOptimizer {
  optimizer: tf.Optimizer;
  config: string;
}

export function spec(value: Value): Spec {
  const found = value.node.outputs[value.output];
  if (!found) throw new RangeError(`node has no output ${value.output}`);
  return found;
}

/** The nodes that the wanted values come from, in the order in which they were recorded, so that inputs come first. */
export function nodesBehind(wanted: Value[], { nodes }: Pick<Program, "nodes">): Node[] {
  const found = new Set<Node>();
  const open = wanted.map(({ node }) => node);
  for (let next = open.pop(); next; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    if (next.kind === "call") open.push(...next.inputs.map(({ node }) => node));
  }
  return nodes.filter((node) => found.has(node));
}
