import type { Kernel } from "../../../shared/masks.ts";

/** |w| (Han et al., arXiv 1506.02626). */
export function l1Scores(kernels: readonly Kernel[]): Float32Array[] {
  return kernels.map(({ data }) => data.map(Math.abs));
}
