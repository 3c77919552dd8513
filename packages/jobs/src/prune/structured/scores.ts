import { mixSeed, splitmix32, type ModelWeights, type WeightData } from "@whittle/engine";
import type { Dependencies, Group, WeightAxis } from "./dependencies.ts";

/** What each channel of a group is worth: the higher, the later it goes. */
export interface ScoredGroup extends Group {
  scores: Float64Array;
}

export type ScoreName = "l1" | "l2" | "batch-norm" | "taylor" | "random";

/** What a score may look at. */
export interface Evidence {
  weights: ModelWeights;
  /** For the taylor score: of each batch the gradient of the mean loss, by weight. */
  gradients: readonly Record<string, Float32Array>[];
  seed: number;
}

/** The norms of a group's channels along one axis of a weight, in the order of the channels. */
type Norms = (evidence: Evidence, slices: Slices, place: WeightAxis) => Float64Array;

/** Sums what a function gives for each element of a weight over the slices of each channel. */
type Slices = (value: (at: number) => number) => Float64Array;

interface Score {
  norms: Norms;
  /** Weights that are looked at. */
  uses: (name: string, weight: WeightData) => boolean;
}

const isKernel = (_name: string, { shape }: WeightData) => shape.length >= 2;

const l1: Score = {
  uses: isKernel,
  norms: ({ weights }, slices, { weight }) => slices((at) => Math.abs(weights[weight]?.data[at] ?? 0)),
};

const l2: Score = {
  uses: isKernel,
  norms: ({ weights }, slices, { weight }) => slices((at) => (weights[weight]?.data[at] ?? 0) ** 2).map(Math.sqrt),
};

/** Network slimming (Liu et al., arXiv 1708.06519): |gamma|. */
const batchNorm: Score = { ...l1, uses: (name) => name.endsWith("/gamma") };

/** First order Taylor expansion (Molchanov et al., arXiv 1906.10771): (sum w dL/dw)^2, summed over the batches. */
const taylor: Score = {
  uses: isKernel,
  norms: ({ weights, gradients }, slices, { weight }) => {
    const { data } = weights[weight] ?? { data: new Float32Array() };
    const batches = gradients.map((gradient) => slices((at) => (data[at] ?? 0) * (gradient[weight]?.[at] ?? 0)));
    return slices(() => 0).map((_, at) => batches.reduce((sum, changes) => sum + (changes[at] ?? 0) ** 2, 0));
  },
};

const scores: Record<Exclude<ScoreName, "random">, Score> = { l1, l2, "batch-norm": batchNorm, taylor };

/**
 * Scores the channels of every group: the mean over the group's weights of the norms of a channel's slices, each divided by the mean of
 * the norms of all the group's channels (Fang et al., arXiv 2301.12900), so that groups can be compared.
 * A group without batch normalization is scored by `l2` where that by `batch-norm` was asked for.
 */
export function scoreGroups({ groups, axes }: Dependencies, score: ScoreName, evidence: Evidence): ScoredGroup[] {
  if (score === "random")
    return groups.map((group, at) => ({ ...group, scores: drawn(group, mixSeed(evidence.seed, at)) }));
  return groups.map((group) => {
    const { norms, uses } = hasScore(group, score) ? scores[score] : l2;
    const places = group.axes.filter(({ weight }) => uses(weight, evidence.weights[weight] ?? none));
    const each = places.map((place) => {
      const channels = axes.get(place.weight)?.get(place.axis) ?? [];
      return normalized(
        norms(evidence, slicesOf(group, channels, evidence.weights[place.weight] ?? none, place.axis), place),
      );
    });
    const sum = (at: number) => each.reduce((total, values) => total + (values[at] ?? 0), 0);
    return { ...group, scores: Float64Array.from(group.channels, (_, at) => sum(at) / Math.max(1, each.length)) };
  });
}

const none: WeightData = { shape: [], data: new Float32Array() };

/** Whether the score can be had of the group. */
export function hasScore({ axes }: Group, score: ScoreName): boolean {
  return score !== "batch-norm" || axes.some(({ weight }) => weight.endsWith("/gamma"));
}

function slicesOf(group: Group, channels: readonly number[], { shape, data }: WeightData, axis: number): Slices {
  const places = new Map(group.channels.map((channel, at) => [channel, at]));
  const at = channels.map((channel) => places.get(channel) ?? -1);
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  return (value) => {
    const sums = new Float64Array(group.channels.length);
    for (let element = 0; element < data.length; element++) {
      const place = at[Math.floor(element / inner) % at.length] ?? -1;
      if (place >= 0) sums[place] = (sums[place] ?? 0) + value(element);
    }
    return sums;
  };
}

function normalized(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return mean > 0 ? values.map((value) => value / mean) : values;
}

function drawn({ channels }: Group, seed: number): Float64Array {
  const next = splitmix32(seed);
  return Float64Array.from(channels, next);
}
