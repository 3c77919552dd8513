import type { Attribute, Node, ValueInfo } from "./model.ts";

/** AttributeProto.AttributeType: the kinds that occur in Whittle's models. */
const AttributeType = { FLOAT: 1, INT: 2, STRING: 3, FLOATS: 6, INTS: 7 } as const;

export type AttributeValue = number | number[] | { float: number } | { string: string };

function attribute(name: string, value: AttributeValue): Attribute {
  if (typeof value === "number") return { name, type: AttributeType.INT, i: value };
  if (Array.isArray(value)) return { name, type: AttributeType.INTS, ints: value };
  if ("string" in value) return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value.string) };
  return { name, type: AttributeType.FLOAT, f: value.float };
}

/** A node named after its first output. Numbers and arrays become int attributes, `{float: 0.1}` a float, `{string: "x"}` a string. */
export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): Node {
  const entries = Object.entries(attributes).map(([name, value]) => attribute(name, value));
  return { opType, name: output[0] ?? opType, input, output, attribute: entries };
}

export function intAttribute(from: Node, name: string, otherwise: number): number {
  return from.attribute.find((each) => each.name === name)?.i ?? otherwise;
}

export function floatAttribute(from: Node, name: string, otherwise: number): number {
  return from.attribute.find((each) => each.name === name)?.f ?? otherwise;
}

/** Declares a tensor; -1 in `shape` is the batch, named `N`. */
export function valueInfo(name: string, elemType: number, shape: readonly number[]): ValueInfo {
  const dim = shape.map((size) => (size === -1 ? { dimParam: "N" } : { dimValue: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/** The declared shape of a tensor, -1 where a size is not fixed. */
export function shapeOf(value: ValueInfo): number[] | undefined {
  return value.type?.tensorType?.shape?.dim.map((each) => each.dimValue ?? -1);
}

/** The name of a size that holds `count` times the batch, {@link valueInfo}'s N. */
export function batchParam(count: number): string {
  return count === 1 ? "N" : `${count}*N`;
}

/** The declared shape of one sample's part of a tensor: 1 for the batch, and how many times it where a size holds several. */
export function sizesOfSample(value: ValueInfo): number[] | undefined {
  const times = (param = "") => Number(/^(\d+)\*N$/.exec(param)?.[1] ?? 1);
  return value.type?.tensorType?.shape?.dim.map(({ dimValue, dimParam }) => dimValue ?? times(dimParam));
}
