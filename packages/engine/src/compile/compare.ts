import { AppError } from "@whittle/contracts";
import type { Node, Program, Value } from "./program.ts";

/**
 * Checks that two recordings of a function are the same computation.
 * @throws AppError `unsupported` naming the first operation or constant that differs.
 */
export function compare(first: Program, second: Program): void {
  const indexes = [first, second].map(({ nodes }) => new Map(nodes.map((node, index) => [node, index])));
  const [before, after] = [first, second].map(({ nodes }, which) =>
    nodes.map((node) => describe(node, indexes[which] ?? new Map<Node, number>())),
  );
  for (const [index, description] of (before ?? []).entries()) {
    const other = after?.[index] ?? "nothing";
    const node = first.nodes[index];
    if (description !== other && node) throw different(node, description, other);
    const twin = second.nodes[index];
    if (node?.kind === "constant" && twin?.kind === "constant") compareValues(first, node, node.values, twin.values);
  }
  if (second.nodes.length > first.nodes.length || first.updates.length !== second.updates.length) {
    throw refusal("did more the second time than the first");
  }
}

function describe(node: Node, indexes: Map<Node, number>): string {
  const specs = node.outputs.map(({ shape, dtype }) => `${dtype}[${shape.join()}]`).join();
  if (node.kind === "feed") return `${node.source.from} ${specs}`;
  if (node.kind === "constant") return `a constant ${specs}`;
  if (node.kind === "draw") return `${node.distribution} numbers ${specs} * ${node.scale} + ${node.offset}`;
  const attrs = node.op === "Multinomial" ? "" : JSON.stringify(node.attrs.map(({ name, value }) => [name, value]));
  const inputs = node.inputs.map((input: Value) => `${indexes.get(input.node)}:${input.output}`).join();
  return `${node.op}(${inputs}) ${attrs} ${specs}`;
}

function compareValues(program: Program, node: Node, before: ArrayLike<unknown>, after: ArrayLike<unknown>): void {
  for (let at = 0; at < before.length; at++) {
    if (Object.is(before[at], after[at])) continue;
    const user = program.nodes.find(
      (other) => other.kind === "call" && other.inputs.some((input) => input.node === node),
    );
    const where = user?.kind === "call" ? `${user.scope} (${user.op})` : "the result";
    throw refusal(
      `used the constant ${String(before[at])} in ${where} the first time and ${String(after[at])} the second; pass it as a tensor or through \`live\``,
    );
  }
}

function different(node: Node, before: string, after: string): AppError {
  const where = node.kind === "feed" ? "its inputs" : node.scope;
  const [did, now] = [withoutInputs(before), withoutInputs(after)];
  return refusal(`did ${did} in ${where} the first time and ${did === now ? "it with other inputs" : now} the second`);
}

function withoutInputs(description: string): string {
  return description.replace(/\([\d:,]*\)/, "");
}

function refusal(what: string): AppError {
  return new AppError("unsupported", `compile: the function is not the same at every call: it ${what}`);
}
