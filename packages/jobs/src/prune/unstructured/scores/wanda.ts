import type { Kernel } from "../../../shared/masks.ts";

/**
 * Wanda (Sun et al., arXiv 2306.11695): |w| times the L2 norm of what the weight is multiplied with.
 * @param norms of a layer's inputs, by the kernel's name: one for each channel, the kernel's last axis but one. A kernel without is
 * scored by its magnitude.
 */
export function wandaScores(kernels: readonly Kernel[], norms: ReadonlyMap<string, Float32Array>): Float32Array[] {
  return kernels.map(({ name, shape, data }) => {
    const norm = norms.get(name);
    const [channels = 1, filters = 1] = shape.slice(-2);
    return data.map((weight, at) => Math.abs(weight) * (norm?.[Math.floor(at / filters) % channels] ?? 1));
  });
}
