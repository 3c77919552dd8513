import { adamOp } from "./adam.ts";
import { nodesBehind, type Call, type Node, type Program, type Value } from "./program.ts";

/**
 * What a graph does with the variables that its function changes. It keeps their values in variables of TensorFlow's, numbered as
 * the program's updates are.
 */
export interface StatePlan {
  /** All that has to be computed, inputs first. */
  nodes: Node[];
  /** Which variable's value a feed stands for. */
  kept: Map<Node, number>;
  /** The variables in which an update of Adam works, by its first inputs and outputs; undefined where it needs one of its own. */
  places: Map<Call, (number | undefined)[]>;
  /** When these are done, so is everything that does not follow from an update of Adam. */
  ends: Node[];
}

/** @param outputs what the graph gives besides the variables' new values. */
export function planState(program: Program, outputs: Value[]): StatePlan {
  const wanted = [...program.updates.map(({ value }) => value), ...outputs];
  const all = nodesBehind(wanted, program);
  const kept = keptFeeds(all, program);
  const places = adamPlaces(all, program, kept);
  const copied = all.flatMap((node) => inputsOf(node).filter((_, at) => !isInPlace(node, at, { kept, places })));
  const read = new Set([...wanted, ...copied].map(({ node }) => node));
  const nodes = all.filter((node) => !kept.has(node) || read.has(node));
  return { nodes, kept, places, ends: endsOf(nodes, kept) };
}

/** Whether an update of Adam finds this input in the variable in which it works. */
export function isInPlace(node: Node, at: number, { kept, places }: Pick<StatePlan, "kept" | "places">): boolean {
  if (node.kind !== "call") return false;
  const place = places.get(node)?.[at];
  const input = node.inputs[at];
  return place !== undefined && input !== undefined && kept.get(input.node) === place;
}

function keptFeeds(nodes: Node[], { updates }: Program): Map<Node, number> {
  const numbers = new Map(updates.map(({ variable }, at) => [variable, at]));
  const kept = new Map<Node, number>();
  for (const node of nodes) {
    if (node.kind !== "feed" || node.source.from !== "variable") continue;
    const number = numbers.get(node.source.variable);
    if (number !== undefined) kept.set(node, number);
  }
  return kept;
}

/** An update works in the variable from which it takes a value, or else in the one that gets its result; only one works in each. */
function adamPlaces(nodes: Node[], { updates }: Program, kept: StatePlan["kept"]): StatePlan["places"] {
  const free = new Set(updates.keys());
  const place = (call: Call, { node }: Value, at: number): number | undefined => {
    const number = kept.get(node) ?? updates.findIndex(({ value }) => value.node === call && value.output === at);
    return free.delete(number) ? number : undefined;
  };
  return new Map(
    nodes
      .filter((node) => isAdam(node))
      .map((call) => [call, call.inputs.slice(0, call.outputs.length).map((input, at) => place(call, input, at))]),
  );
}

function endsOf(nodes: Node[], kept: StatePlan["kept"]): Node[] {
  const late = new Set<Node>();
  for (const node of nodes) {
    if (isAdam(node) || inputsOf(node).some((input) => late.has(input.node))) late.add(node);
  }
  const early = nodes.filter((node) => !late.has(node));
  const inner = new Set(early.flatMap((node) => inputsOf(node).map((input) => input.node)));
  const computes = (node: Node) => node.kind === "call" || node.kind === "draw" || kept.has(node);
  return early.filter((node) => computes(node) && !inner.has(node));
}

function isAdam(node: Node): node is Call {
  return node.kind === "call" && node.op === adamOp;
}

function inputsOf(node: Node): Value[] {
  return node.kind === "call" ? node.inputs : [];
}
