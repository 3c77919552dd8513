import { AppError } from "@whittle/contracts";
import { tf, type ModelWeights } from "@whittle/engine";
import { magnitudeMask, type Cut } from "./magnitude-mask.ts";

/** For each weight that is pruned, 1 where it stays and 0 where it goes. */
export type Masks = Record<string, Uint8Array>;

/** The masks of a model's kernels, the weights with two axes or more; biases and batch normalization have none. */
export function masksOf(weights: ModelWeights, scope: "global" | "local", cut: Cut): Masks {
  const kernels = Object.entries(weights).filter(([, { shape }]) => shape.length >= 2);
  const masks = magnitudeMask(
    kernels.map(([, { data }]) => data),
    scope,
    cut,
  );
  return Object.fromEntries(kernels.map(([name], i) => [name, masks[i] ?? new Uint8Array()]));
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
