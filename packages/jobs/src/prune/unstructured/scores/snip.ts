import type { Kernel } from "../../../shared/masks.ts";

/**
 * SNIP (Lee et al., arXiv 1810.02340): |w dL/dw|, how much the loss changes with a factor on the weight.
 * @param gradients of the mean loss, by the weight's name.
 */
export function snipScores(kernels: readonly Kernel[], gradients: Record<string, Float32Array>): Float32Array[] {
  return kernels.map(({ name, data }) => data.map((weight, at) => Math.abs(weight * (gradients[name]?.[at] ?? 0))));
}
