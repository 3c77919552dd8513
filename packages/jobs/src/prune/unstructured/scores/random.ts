import { mixSeed, splitmix32 } from "@whittle/engine";
import type { Kernel } from "../../../shared/masks.ts";

/** Numbers in [0, 1) that follow from the seed: what a score must do better than. */
export function randomScores(kernels: readonly Kernel[], seed: number): Float32Array[] {
  return kernels.map(({ data }, at) => {
    const next = splitmix32(mixSeed(seed, at));
    return data.map(() => next() / 2 ** 32);
  });
}
