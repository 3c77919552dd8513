import { channelOf, inputOf, weightRange, withValues, type QuantizedWeights, type WeightScheme } from "./weights.ts";
import type { Gram } from "./gram.ts";
import type { QuantizedLayer } from "./plan.ts";
import { layerName } from "./plan.ts";

/** The choice, for every weight of a layer, between the integers below and above it. */
export interface RoundingProblem {
  name: string;
  /** Output channels and inputs of the weight matrix. */
  rows: number;
  columns: number;
  /** [rows, columns]. */
  weights: Float32Array;
  /** One a row. */
  scales: Float32Array;
  zeroPoints: Int8Array;
  qmin: number;
  qmax: number;
  /** How many groups of rows have inputs of their own, and the second moments of those: [groups, columns, columns]. */
  groups: number;
  gram: Float32Array;
}

/** Gives the integers, [rows, columns]. */
export type RoundWeights = (problem: RoundingProblem) => Promise<Int8Array>;

/** Rounds a layer's weights anew, with the scales and zero points that they have. */
export async function roundAnew(
  layer: QuantizedLayer,
  data: Float32Array,
  quantized: QuantizedWeights,
  scheme: WeightScheme,
  gram: Gram,
  round: RoundWeights,
): Promise<QuantizedWeights> {
  const rows = layer.layout.channels;
  const columns = data.length / rows;
  const place = Int32Array.from(data, (_value, at) => {
    const { layout } = layer;
    return channelOf(at, data.length, layout) * columns + inputOf(at, data.length, layout);
  });
  const weights = new Float32Array(data.length);
  for (const [at, to] of place.entries()) weights[to] = data[at] ?? 0;
  const ofRow = <T>(values: ArrayLike<T>, row: number) => (values.length === 1 ? values[0] : values[row]) ?? 0;
  const rounded = await round({
    name: layerName(layer),
    rows,
    columns,
    weights,
    scales: Float32Array.from({ length: rows }, (_none, row) => ofRow(quantized.scales, row)),
    zeroPoints: Int8Array.from({ length: rows }, (_none, row) => ofRow(quantized.zeroPoints, row)),
    ...weightRange(scheme.bits, scheme.scheme),
    groups: gram.groups,
    gram: gram.matrix(),
  });
  return withValues(
    data,
    quantized,
    Int8Array.from(place, (at) => rounded[at] ?? 0),
  );
}
