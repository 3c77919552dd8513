import {
  assignWeights,
  loadModel,
  modelWeights,
  predict,
  saveModel,
  splitmix32,
  tf,
  type WeightData,
} from "@whittle/engine";
import { expect } from "vitest";
import type { Dependencies } from "../dependencies.ts";
import { dependenciesOf } from "../dependencies.ts";
import { withoutChannels } from "../surgery.ts";

/** A copy of a model with random weights, biases and statistics. */
export async function randomized(model: tf.LayersModel, seed: number): Promise<tf.LayersModel> {
  const copy = await loadModel(await saveModel(model));
  const next = splitmix32(seed);
  const weights = modelWeights(copy);
  for (const [name, { data }] of Object.entries(weights)) {
    // A variance is positive.
    const least = name.endsWith("moving_variance") ? 0.5 : -0.5;
    for (const at of data.keys()) data[at] = least + next() / 2 ** 32;
  }
  assignWeights(copy, weights);
  return copy;
}

/** About a third of each group's channels, at least one being left; none that a weight of such a name belongs to. */
function someChannels({ groups }: Dependencies, seed: number, spared: RegExp | undefined): Set<number> {
  const next = splitmix32(seed);
  const exact = groups.filter(({ axes }) => !axes.some(({ weight }) => spared?.test(weight)));
  return new Set(exact.flatMap(({ channels }) => channels.slice(1).filter(() => next() / 2 ** 32 < 0.35)));
}

/**
 * Expects the smaller model to give what the whole one gives when the removed channels' own weights are zero.
 * @param spared names weights whose channels are not removed: those of layers that mix channels, where that isn't so.
 */
export async function expectExact(
  whole: tf.LayersModel,
  seed: number,
  inputs: tf.Tensor,
  spared?: RegExp,
): Promise<Set<number>> {
  const dependencies = dependenciesOf(whole);
  const removed = someChannels(dependencies, seed, spared);
  const smaller = await withoutChannels(whole, dependencies, removed);
  const given = predict(smaller, inputs);
  silence(whole, dependencies, removed);
  const expected = predict(whole, inputs);
  const values = given.dataSync();
  for (const [at, value] of expected.dataSync().entries()) expect(values[at], `seed ${seed}`).toBeCloseTo(value, 4);
  expect(smaller.countParams() < whole.countParams()).toBe(removed.size > 0);
  tf.dispose([given, expected]);
  smaller.dispose();
  return removed;
}

/** Makes zero what gives the removed channels: the last axis of every weight, or the channels of a depthwise kernel. */
function silence(model: tf.LayersModel, { axes }: Dependencies, removed: ReadonlySet<number>): void {
  const weights = modelWeights(model);
  for (const [name, weight] of Object.entries(weights)) {
    const axis = name.endsWith("depthwise_kernel") ? 2 : weight.shape.length - 1;
    const channels = axes.get(name)?.get(axis) ?? [];
    zeroAlong(weight, axis, (at) => removed.has(channels[at] ?? -1));
  }
  assignWeights(model, weights);
}

function zeroAlong({ shape, data }: WeightData, axis: number, isRemoved: (at: number) => boolean): void {
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const size = shape[axis] ?? 1;
  for (const at of data.keys()) if (isRemoved(Math.floor(at / inner) % size)) data[at] = 0;
}
