import { schedule as scheduleSchema } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import torch from "./fixtures/torch_training.json" with { type: "json" };
import { learningRateAt } from "./schedule.ts";

/** Three epochs of four steps at a base rate of 0.4. */
function rates(settings: z.input<typeof scheduleSchema>): number[] {
  const schedule = scheduleSchema.parse(settings);
  return Array.from({ length: 12 }, (_, step) => learningRateAt(schedule, 0.4, { step, stepsPerEpoch: 4, epochs: 3 }));
}

const near = (expected: number[]) => expected.map((value) => expect.closeTo(value, 12));

describe("learningRateAt", () => {
  it("stays at the base when constant", () => {
    expect(rates({ type: "constant" })).toEqual(Array.from({ length: 12 }, () => 0.4));
  });

  it("is multiplied by the factor each so many epochs, as PyTorch's StepLR", () => {
    expect(rates({ type: "step", factor: 0.5 })).toEqual(near(torch.schedules.step));
    const fractions = rates({ type: "step", everyEpochs: 1.5, factor: 0.1 });
    expect(fractions).toEqual(near([0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.04, 0.04, 0.04, 0.04, 0.04, 0.04]));
  });

  it("falls along half a cosine, as PyTorch's CosineAnnealingLR", () => {
    expect(rates({ type: "cosine", finalFraction: 0.1 })).toEqual(near(torch.schedules.cosine));
  });

  it("rises in a line to the base first, and the cosine takes what is left", () => {
    const warm = rates({ type: "cosine", warmupEpochs: 1 });
    expect(warm.slice(0, 4)).toEqual(near([0.1, 0.2, 0.3, 0.4]));
    expect(warm).toEqual(near(torch.schedules.warmCosine));
  });

  it("rises and falls along half cosines in one cycle, as PyTorch's OneCycleLR", () => {
    expect(rates({ type: "one-cycle" })).toEqual(near(torch.schedules.oneCycle));
    const short = rates({ type: "one-cycle", warmupShare: 0.1, divFactor: 10, finalDivFactor: 100 });
    expect(short).toEqual(near(torch.schedules.shortOneCycle));
  });

  it("begins at the top of its cycle without a warm-up, and reaches its end in a single step", () => {
    expect(rates({ type: "one-cycle", warmupShare: 0 })[0]).toBeGreaterThan(0.39);
    const schedule = scheduleSchema.parse({ type: "one-cycle" });
    const only = learningRateAt(schedule, 0.4, { step: 0, stepsPerEpoch: 1, epochs: 1 });
    expect(only).toBeCloseTo(0.4 / 25 / 10_000, 12);
  });

  it("is half the base in the middle of a cosine and never negative", () => {
    expect(rates({ type: "cosine" })[6]).toBeCloseTo(0.2, 12);
    expect(Math.min(...rates({ type: "cosine" }))).toBeGreaterThan(0);
  });
});
