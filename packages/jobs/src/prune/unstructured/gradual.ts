import { modelWeights, tf, type FitOptions } from "@whittle/engine";
import type { Gradual, UnstructuredParams } from "./contract.ts";
import { kernelsOf, maskTensors, type Masks } from "../../shared/masks.ts";
import { l1Scores } from "./scores/l1.ts";
import { selectWeights } from "./select.ts";

/**
 * The share of zeros at a step of a gradual pruning (Zhu and Gupta, arXiv 1710.01878), which ends at step `last`:
 * s_t = s_f + (s_i - s_f) (1 - t / last)^3.
 */
export function sparsityAt(step: number, last: number, initial: number, final: number): number {
  return final + (initial - final) * (1 - Math.min(1, step / Math.max(1, last))) ** 3;
}

/** Masks that change while a model is trained. */
interface GradualMasks extends Required<Pick<FitOptions, "masks" | "beforeStep">> {
  dispose: () => void;
}

/** What training needs to make the weights of least magnitude zero little by little. Those that are zero once stay so. */
export function gradualMasks(
  model: tf.LayersModel,
  first: Masks,
  { amount, gradual, scope }: { amount: number; gradual: Gradual; scope: UnstructuredParams["scope"] },
): GradualMasks {
  const { initial, share, everySteps } = gradual;
  const tensors = maskTensors(modelWeights(model), first);
  const masks = Object.fromEntries(Object.entries(tensors).map(([name, mask]) => [name, tf.variable(mask, false)]));
  tf.dispose(tensors);
  const beforeStep = (step: number, steps: number): void => {
    const last = Math.min(steps - 1, Math.round(share * steps));
    if (step > last || (step < last && step % everySteps !== 0)) return;
    const kernels = kernelsOf(modelWeights(model));
    const cut = { amount: step === last ? amount : sparsityAt(step, last, initial, amount) };
    for (const [at, mask] of selectWeights(kernels, l1Scores(kernels), scope, cut).entries()) {
      const { name, shape } = kernels[at]!;
      tf.tidy(() => masks[name]?.assign(tf.tensor(Float32Array.from(mask), shape)));
    }
  };
  return { masks, beforeStep, dispose: () => tf.dispose(masks) };
}
