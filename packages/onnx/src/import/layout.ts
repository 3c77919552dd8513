import type { OnnxModel } from "../proto/model.ts";
import { node, shapeOf, valueInfo } from "../proto/node.ts";
import { DataType, elementCount, tensor } from "../proto/tensor.ts";
import { INPUT } from "./names.ts";
import { refuseModel } from "./read.ts";

type Kind = "same" | "channels first" | "reshaped";

/** Where the channels of a model's input are: behind all other axes, as the samples have them, or before. */
export type Channels = "last" | "first";

/** Samples as a model takes them. */
export interface Samples {
  data: Float32Array;
  /** Of one sample. */
  shape: readonly number[];
}

/** What a model takes, beside what the samples are. */
export interface InputLayout {
  kind: Kind;
  /** What the file calls its input. */
  name: string;
  /** What it says of the number of samples in a call: -1 is any. */
  batch: number;
  /** What was put before the model, for a person. */
  change?: string;
  /** Whether where the channels are was not told by the shape, nor by anybody, and they were taken to be last. */
  isAssumed: boolean;
  /** Of one sample, as the file takes it. */
  shape: readonly number[];
  /** The same samples as the file takes them. */
  toFile(data: Float32Array): Samples;
}

/**
 * How a model's declared input takes samples of a shape: as they are, with the channels first, or, with one channel, in another shape of as
 * many values.
 * @param channels where they are, for shapes that don't tell: [n, 8, 8, 8]
 * @throws AppError `unsupported` when it does not, or when that can't be told.
 */
export function layoutOf({ graph }: OnnxModel, sample: readonly number[], channels?: Channels): InputLayout {
  const [input] = graph.input;
  const declared = (input && shapeOf(input)) ?? refuseModel("The model's input declares no shape; export it with one.");
  const [batch = -1, ...rest] = declared;
  const { kind, shape, isAssumed = false } = kindOf(rest, sample, channels);
  const text = (dims: readonly number[]) => `[${["n", ...dims].join(", ")}]`;
  const changes: Record<Kind, string | undefined> = {
    same: undefined,
    "channels first": `a Transpose was put at the input, which is ${text(sample)} now: the file takes ${text(shape)}`,
    reshaped: `a Reshape was put at the input, which is ${text(sample)} now: the file takes ${text(shape)}`,
  };
  const change = changes[kind];
  return {
    kind,
    name: input?.name ?? "",
    batch,
    isAssumed,
    shape,
    ...(change !== undefined && { change }),
    toFile: (data) => ({ data: kind === "channels first" ? channelsFirst(data, sample) : data, shape }),
  };
}

function kindOf(
  declared: readonly number[],
  sample: readonly number[],
  channels: Channels | undefined,
): Pick<InputLayout, "kind" | "shape"> & { isAssumed?: boolean } {
  const first = sample.length > 1 ? [...sample.slice(-1), ...sample.slice(0, -1)] : undefined;
  const [isSame, isFirst] = [takes(declared, sample), first !== undefined && takes(declared, first)];
  const say = `The model takes [n, ${declared.map((size) => (size === -1 ? "?" : size)).join(", ")}]`;
  const samples = `the samples are [n, ${sample.join(", ")}]`;
  if (channels !== undefined && !(channels === "last" ? isSame : isFirst))
    refuseModel(`${say}, but ${samples}: its channels are not ${channels} there. Leave channels out.`);
  const isOpen = isSame && isFirst && channels === undefined;
  if (isOpen && declared.includes(-1))
    refuseModel(
      `${say}, so which axis the channels are can't be told: say channels (last or first), or export it with fixed sizes but for the batch.`,
    );
  if (isSame && channels !== "first") return { kind: "same", shape: sample, isAssumed: isOpen };
  if (first && isFirst) return { kind: "channels first", shape: first };
  const shape = filledIn(declared, elementCount(sample));
  // Other sizes than 1 in another order or number, height and width for instance, would be other values at each place.
  if (!shape || !isReshape(sample, shape))
    refuseModel(`${say}, but ${samples}${first ? ` (or [n, ${first.join(", ")}], channels first)` : ""}.`);
  // Of several channels a flat vector may hold all of one first, as in PyTorch, or all of one pixel, as in Keras.
  if (first && first[0] !== 1 && shape.length < sample.length)
    refuseModel(
      `${say}, but ${samples}, whose channels may be in either order there: export it with that input shape.`,
    );
  return { kind: "reshaped", shape };
}

/** Whether one of two shapes of as many values is a vector, or they differ by axes of size 1 alone. */
function isReshape(...shapes: [readonly number[], readonly number[]]): boolean {
  const [from, to] = shapes.map((shape) => shape.filter((size) => size !== 1));
  return from?.length === 1 || to?.length === 1 || from?.join() === to?.join();
}

const takes = (declared: readonly number[], shape: readonly number[]) =>
  declared.length === shape.length && declared.every((size, axis) => size === -1 || size === shape[axis]);

/** The declared shape with its one free size such that it holds `count` values; undefined where there is none. */
function filledIn(declared: readonly number[], count: number): number[] | undefined {
  const fixed = elementCount(declared.filter((size) => size !== -1));
  const free = declared.filter((size) => size === -1).length;
  if (free > 1 || count % fixed !== 0 || (free === 0 && fixed !== count)) return undefined;
  return declared.map((size) => (size === -1 ? count / fixed : size));
}

/** [h, w, c] of each sample to [c, h, w], or [steps, c] to [c, steps]. */
function channelsFirst(data: Float32Array, sample: readonly number[]): Float32Array {
  const [channels, size] = [sample.at(-1) ?? 1, elementCount(sample)];
  const pixels = size / channels;
  return Float32Array.from(data, (_value, at) => {
    const [start, within] = [at - (at % size), at % size];
    return data[start + (within % pixels) * channels + Math.floor(within / pixels)] ?? 0;
  });
}

/** The axes of [n, ...sample] with the last of them behind the batch. */
const channelsFirstOrder = ({ length }: readonly number[]) => [
  0,
  length,
  ...Array.from({ length: length - 1 }, (_none, at) => at + 1),
];

/** Puts before a model whose input has the name {@link INPUT} what brings samples of a shape into the layout that it takes. */
export function adaptInput(model: OnnxModel, { kind, shape }: InputLayout, sample: readonly number[]): OnnxModel {
  const { graph } = model;
  const input = [valueInfo(INPUT, DataType.FLOAT, [-1, ...sample])];
  if (kind === "same") return { ...model, graph: { ...graph, input } };
  const inner = `${INPUT}/adapted`;
  const target = tensor(`${INPUT}/adapted_shape`, [shape.length + 1], BigInt64Array.from([-1, ...shape], BigInt));
  const adapter =
    kind === "channels first"
      ? { node: node("Transpose", [INPUT], [inner], { perm: channelsFirstOrder(sample) }), constants: [] }
      : { node: node("Reshape", [INPUT, target.name], [inner]), constants: [target] };
  const behind = graph.node.map((each) => ({
    ...each,
    input: each.input.map((name) => (name === INPUT ? inner : name)),
  }));
  const initializer = [...graph.initializer, ...adapter.constants];
  return { ...model, graph: { ...graph, input, node: [adapter.node, ...behind], initializer } };
}
