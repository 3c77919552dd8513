import { percent } from "../../shared/training.ts";
import type { Curve } from "../sensitivity.ts";
import type { Masks } from "../../shared/masks.ts";

export interface WeightReport {
  layers: { kernel: string; weights: number; zeros: number }[];
  sensitivity?: Curve[];
}

export function reportOf(masks: Masks, sensitivity?: Curve[]): WeightReport {
  const layers = Object.entries(masks).map(([kernel, mask]) => {
    const zeros = mask.reduce((sum, keep) => sum + 1 - keep, 0);
    return { kernel, weights: mask.length, zeros };
  });
  return { layers, ...(sensitivity && { sensitivity }) };
}

/** How much of each layer is zero. */
export function describeReport({ layers }: WeightReport): string[] {
  return layers.map(
    ({ kernel, weights, zeros }) => `${kernel}: ${zeros} of ${weights} weights are zero (${percent(zeros / weights)})`,
  );
}
