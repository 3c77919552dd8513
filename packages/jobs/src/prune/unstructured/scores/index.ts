import { permutation } from "@whittle/engine";
import { lossGradients, meanGradients } from "../../gradients.ts";
import type { WeightPruning } from "../run.ts";
import type { Kernel } from "../../../shared/masks.ts";
import { inputNorms } from "./input-norms.ts";
import { l1Scores } from "./l1.ts";
import { randomScores } from "./random.ts";
import { snipScores } from "./snip.ts";
import { wandaScores } from "./wanda.ts";

/** What each weight of a model's kernels is worth by the method that was asked for: the higher, the later it goes. */
export function scoresOf({ model, params, samples }: WeightPruning, kernels: readonly Kernel[]): Float32Array[] {
  if (params.method === "random") return randomScores(kernels, params.seed);
  if (params.method === "snip") {
    return snipScores(kernels, meanGradients(lossGradients(model, samples(), params.samples)));
  }
  if (params.method === "wanda") {
    const { x, y } = samples();
    return wandaScores(kernels, inputNorms(model, x, permutation(y.length, 0).subarray(0, params.samples)));
  }
  return l1Scores(kernels);
}
