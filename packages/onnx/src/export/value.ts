import type { GraphBuilder } from "./graph-builder.ts";

/**
 * How a value's elements lie in the ONNX graph beside how Keras sees them. `plain`: the same. `channelsFirst`: Keras' [H, W, C] as
 * [C, H, W], or [T, C] as [C, T]. `flattened`: Keras' flattened [H, W, C], but in the order of [C, H, W]; `spatial` is that [H, W, C].
 */
export type Layout = "plain" | "channelsFirst" | "flattened";

/** What a layer call gives. `shape` is Keras' shape of one sample, without the batch. */
export interface Value {
  name: string;
  shape: readonly number[];
  layout: Layout;
  spatial?: readonly [number, number, number];
}

/** The shape that a value has in the ONNX graph, batch first. */
export function onnxShape({ shape, layout }: Pick<Value, "shape" | "layout">): number[] {
  return layout === "channelsFirst" ? [-1, ...shape.slice(-1), ...shape.slice(0, -1)] : [-1, ...shape];
}

/** [H, W, C] as [C, H, W], or [T, C] as [C, T], with a Transpose where it is not so already. */
export function toChannelsFirst(graph: GraphBuilder, value: Value): Value {
  if (value.layout === "channelsFirst") return value;
  const { name, shape } = toPlain(graph, value);
  const moved = { name: `${name}/channels_first`, shape, layout: "channelsFirst" } as const;
  graph.emit("Transpose", [name], moved.name, onnxShape(moved), { perm: [0, shape.length, ...axes(shape)] });
  return moved;
}

/** The axes of a sample but the last, counted with the batch. */
function axes(shape: readonly number[]): number[] {
  return shape.slice(1).map((_size, at) => at + 1);
}

/** The value with its elements in Keras' order. */
export function toPlain(graph: GraphBuilder, value: Value): Value {
  if (value.layout === "plain") return value;
  if (value.layout === "channelsFirst") {
    const moved = { name: `${value.name}/channels_last`, shape: value.shape, layout: "plain" } as const;
    const perm = [0, ...axes(value.shape).map((axis) => axis + 1), 1];
    graph.emit("Transpose", [value.name], moved.name, onnxShape(moved), { perm });
    return moved;
  }
  const [height, width, channels] = value.spatial ?? [0, 0, 0];
  const inner: Value = { name: `${value.name}/unflattened`, shape: [height, width, channels], layout: "channelsFirst" };
  reshape(graph, value.name, inner.name, onnxShape(inner));
  return reshapeTo(graph, toPlain(graph, inner), `${value.name}/plain`, value.shape);
}

function reshape(graph: GraphBuilder, from: string, to: string, shape: readonly number[]): void {
  // 0 copies the batch from the input, so that every other size can be given, or be left to -1 by a caller.
  const sizes = BigInt64Array.from([0, ...shape.slice(1)].map(BigInt));
  const target = graph.constant(`${to}/shape`, [sizes.length], sizes);
  graph.emit("Reshape", [from, target], to, shape);
}

/** A plain value with its elements unmoved in another shape. */
export function reshapeTo(graph: GraphBuilder, value: Value, name: string, shape: readonly number[]): Value {
  reshape(graph, value.name, name, [-1, ...shape]);
  return { name, shape, layout: "plain" };
}

/** Brings values to one layout: their own where they agree, plain where they differ. */
export function toSameLayout(graph: GraphBuilder, values: readonly Value[]): Value[] {
  const alike = values.every(({ layout }) => layout === values[0]?.layout);
  return alike ? [...values] : values.map((value) => toPlain(graph, value));
}
