import { assignWeights, modelWeights } from "@whittle/engine";
import { stopIfAborted } from "../../shared/context.ts";
import { judging, type Curve } from "../sensitivity.ts";
import { applyMasks, type Kernel } from "../../shared/masks.ts";
import type { WeightPruning } from "./run.ts";
import { selectWeights } from "./select.ts";

const SHARES = [0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/** Makes more and more weights of each kernel alone zero. The model has its weights again afterwards. */
export async function sensitivityOf(
  { context, model, params, samples }: WeightPruning,
  kernels: readonly Kernel[],
  scores: Float32Array[],
): Promise<Curve[]> {
  const whole = modelWeights(model);
  const scope = params.scope === "output" ? "output" : "local";
  return judging(context, samples(), async (accuracyOf) => {
    const before = { removed: 0, accuracy: await accuracyOf(model) };
    const curves: Curve[] = [];
    for (const [at, kernel] of kernels.entries()) {
      context.progress(0.03 + 0.05 * (at / kernels.length), `sensitivity of ${kernel.name}`);
      const points = [before];
      for (const amount of SHARES) {
        stopIfAborted(context.signal);
        const [mask = new Uint8Array()] = selectWeights([kernel], scores.slice(at, at + 1), scope, { amount });
        assignWeights(model, applyMasks(whole, { [kernel.name]: mask }));
        const removed = mask.reduce((sum, keep) => sum + 1 - keep, 0) / mask.length;
        points.push({ removed, accuracy: await accuracyOf(model) });
      }
      assignWeights(model, whole);
      curves.push({ layers: [kernel.name], points });
    }
    return curves;
  });
}
