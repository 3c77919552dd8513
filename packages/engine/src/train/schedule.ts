import type { Schedule } from "@whittle/contracts";

/**
 * The learning rate of one step (steps count from 0). Durations are in epochs and may be fractions.
 * - warm-up, over the first w steps: base (step + 1) / w, as PyTorch's LinearLR with one step less;
 * - constant: base;
 * - step: base factor^floor(t / every), t counted from the end of the warm-up;
 * - one-cycle (1803.09820; PyTorch's OneCycleLR): from base / div to base and on to base / div / final, each along half a cosine;
 *   the first part takes the steps 0 to p n - 1 of n, p being the share of the warm-up;
 * - cosine (1608.03983): base (f + (1 - f) (1 + cos(pi t / T)) / 2), T the steps after the warm-up; it would reach f at step T.
 */
export function learningRateAt(
  schedule: Schedule,
  base: number,
  at: { step: number; stepsPerEpoch: number; epochs: number },
): number {
  if (schedule.type === "one-cycle") return oneCycle(schedule, base, at.step, at.epochs * at.stepsPerEpoch);
  const warmup = Math.round(schedule.warmupEpochs * at.stepsPerEpoch);
  if (at.step < warmup) return (base * (at.step + 1)) / warmup;
  const since = at.step - warmup;
  if (schedule.type === "constant") return base;
  if (schedule.type === "step") {
    return base * schedule.factor ** Math.floor(since / (schedule.everyEpochs * at.stepsPerEpoch));
  }
  const length = Math.max(1, at.epochs * at.stepsPerEpoch - warmup);
  const share = (1 + Math.cos((Math.PI * since) / length)) / 2;
  return base * (schedule.finalFraction + (1 - schedule.finalFraction) * share);
}

function oneCycle(
  { warmupShare, divFactor, finalDivFactor }: Extract<Schedule, { type: "one-cycle" }>,
  base: number,
  step: number,
  steps: number,
): number {
  const top = warmupShare * steps - 1;
  if (step < top) return cosineBetween(base / divFactor, base, step / top);
  return cosineBetween(base, base / divFactor / finalDivFactor, (step - top) / (steps - 1 - top));
}

function cosineBetween(from: number, to: number, share: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
}
