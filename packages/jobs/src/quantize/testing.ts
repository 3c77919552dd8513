import type { Verdict } from "./judge.ts";

/** A verdict that is as bad as it diverges. */
export function verdictOf(divergence: number): Verdict {
  return {
    accuracy: 1 - divergence,
    loss: divergence,
    divergence,
    agreement: 1,
    maxDifference: 0,
    meanDifference: 0,
  };
}
