import type { Proportion } from "@whittle/contracts";

/** 0.975 quantile of the standard normal distribution. */
const Z = 1.959963984540054;

/**
 * `correct` of `n` with its Wilson score interval (95%; Wilson 1927):
 * (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
 */
export function proportion(correct: number, n: number): Proportion {
  const p = correct / n;
  const centre = p + (Z * Z) / (2 * n);
  const margin = Z * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
  const scale = 1 + (Z * Z) / n;
  return { value: p, interval: [Math.max(0, (centre - margin) / scale), Math.min(1, (centre + margin) / scale)], n };
}
