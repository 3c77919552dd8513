import type { Schedule } from "@whittle/contracts";

/**
 * The learning rate of one step (steps count from 0). Durations are in epochs and may be fractions.
 * - warm-up, over the first w steps: base (step + 1) / w, as PyTorch's LinearLR with one step less;
 * - constant: base;
 * - step: base factor^floor(t / every), t counted from the end of the warm-up;
 * - cosine (1608.03983): base (f + (1 - f) (1 + cos(pi t / T)) / 2), T the steps after the warm-up; it would reach f at step T.
 */
export function learningRateAt(
  schedule: Schedule,
  base: number,
  at: { step: number; stepsPerEpoch: number; epochs: number },
): number {
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
