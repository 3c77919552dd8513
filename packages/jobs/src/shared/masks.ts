import { AppError } from "@whittle/contracts";
import { tf, type ModelWeights, type WeightData } from "@whittle/engine";

/** A weight with two axes or more. */
export interface Kernel extends WeightData {
  name: string;
}

/** For each weight that is pruned, 1 where it stays and 0 where it goes. */
export type Masks = Record<string, Uint8Array>;

/** What is pruned of a model: the weights with two axes or more, so no biases and no batch normalization. */
export function kernelsOf(weights: ModelWeights): Kernel[] {
  return Object.entries(weights).flatMap(([name, weight]) => (weight.shape.length >= 2 ? [{ name, ...weight }] : []));
}

/** Masks that keep the zeros that are there. */
export function zerosOf(weights: ModelWeights): Masks {
  const masks = kernelsOf(weights).map(
    ({ name, data }) => [name, Uint8Array.from(data, (weight) => Number(weight !== 0))] as const,
  );
  return Object.fromEntries(masks);
}

/** The weights with zeros where the masks have them. */
export function applyMasks(weights: ModelWeights, masks: Masks): ModelWeights {
  const masked = Object.entries(weights).map(([name, { shape, data }]) => {
    const mask = masks[name];
    return [name, { shape, data: mask ? data.map((weight, i) => (mask[i] === 0 ? 0 : weight)) : data }] as const;
  });
  return Object.fromEntries(masked);
}

/** The masks as the training takes them. The caller disposes them. */
export function maskTensors(weights: ModelWeights, masks: Masks): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(masks).map(([name, mask]) => [name, tf.tensor(Float32Array.from(mask), weights[name]?.shape)]),
  );
}

/** @throws AppError `internal` when a weight that was cut is not zero. */
export function assertZeros(weights: ModelWeights, masks: Masks): void {
  for (const [name, mask] of Object.entries(masks)) {
    const { data } = weights[name] ?? { data: new Float32Array() };
    if (mask.some((keep, i) => keep === 0 && data[i] !== 0)) {
      throw new AppError("internal", `weights of ${name} that were pruned are not zero any more`);
    }
  }
}

/** The share of all the weights under masks that is cut. */
export function sparsityOf(masks: Masks): number {
  const all = Object.values(masks);
  const zeros = all.reduce((sum, mask) => sum + mask.reduce((n, keep) => n + 1 - keep, 0), 0);
  const count = all.reduce((sum, { length }) => sum + length, 0);
  return count === 0 ? 0 : zeros / count;
}
