import { describe, expect, it } from "vitest";
import { advance, noProgress, score, shouldStop } from "./best.ts";

/** Progress after epochs with these values. */
function after(values: number[], minDelta = 0) {
  const stopping = { patience: 2, minDelta };
  const progress = values.reduce((soFar, value, index) => advance(soFar, index + 1, value, stopping), noProgress);
  return { ...progress, stop: shouldStop(progress, stopping) };
}

describe("the best epoch", () => {
  it("is the one with the highest value, the earlier of equals", () => {
    expect(after([0.1, 0.5, 0.3, 0.5]).bestEpoch).toBe(2);
  });

  it("goes by validation values where there are any; a lower loss is better", () => {
    const point = { epoch: 1, loss: 3, accuracy: 0.5, learningRate: 1, seconds: 1 };
    expect(score(point, "accuracy")).toBe(0.5);
    expect(score({ ...point, valAccuracy: 0.4 }, "accuracy")).toBe(0.4);
    expect(score({ ...point, valLoss: 2 }, "loss")).toBe(-2);
  });
});

describe("early stopping", () => {
  it("stops after as many epochs without improvement as its patience", () => {
    expect(after([0.5, 0.4]).stop).toBe(false);
    expect(after([0.5, 0.4, 0.4]).stop).toBe(true);
    expect(after([0.5, 0.4, 0.6, 0.5]).stop).toBe(false);
  });

  it("counts only improvements above minDelta, measured from the last that counted", () => {
    expect(after([0.5, 0.54, 0.58], 0.1)).toMatchObject({ stop: true, bestEpoch: 3 });
    expect(after([0.5, 0.54, 0.61], 0.1)).toMatchObject({ stop: false, bestEpoch: 3 });
  });

  it("never stops without settings", () => {
    expect(shouldStop({ ...noProgress, waited: 1000 })).toBe(false);
  });
});
