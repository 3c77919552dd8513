import { assignWeights, initEngine, modelWeights, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { gradualMasks, sparsityAt } from "./gradual.ts";
import { zerosOf } from "../../shared/masks.ts";

describe("the schedule of a gradual pruning", () => {
  it("rises along a cubic from the initial share to the final one, and stays there", () => {
    const shares = [0, 1, 2, 4, 7].map((step) => sparsityAt(step, 4, 0.2, 0.84));
    // 0.84 - 0.64 (1 - t/4)^3
    for (const [at, expected] of [0.2, 0.57, 0.76, 0.84, 0.84].entries()) expect(shares[at]).toBeCloseTo(expected, 12);
  });

  it("is at its end at once where there is one step", () => {
    expect(sparsityAt(1, 1, 0, 0.5)).toBe(0.5);
  });
});

describe("gradual masks", () => {
  beforeAll(() => initEngine());

  it("are chosen anew every so many steps, and a last time at the end of the share", () => {
    const model = tf.sequential({
      layers: [tf.layers.dense({ name: "d", units: 4, useBias: false, inputShape: [4] })],
    });
    const data = Float32Array.from({ length: 16 }, (_, at) => at + 1);
    assignWeights(model, { "d/kernel": { shape: [4, 4], data } });
    const gradual = { initial: 0.25, share: 0.5, everySteps: 2 };
    const settings = { amount: 0.75, scope: "global" as const, gradual };
    const { masks, beforeStep, dispose } = gradualMasks(model, zerosOf(modelWeights(model)), settings);
    const zeros = Array.from({ length: 10 }, (_, step) => {
      beforeStep(step, 10);
      return 16 - (masks["d/kernel"]?.dataSync<"float32">().reduce((sum, keep) => sum + keep, 0) ?? 0);
    });
    // 16 s_t at steps 0, 2 and 4 of 5: 4, 12 - 8 0.6^3 = 10.272, 12 - 8 0.2^3 = 11.936; at 5: 12.
    expect(zeros).toEqual([4, 4, 10, 10, 12, 12, 12, 12, 12, 12]);
    dispose();
    model.dispose();
  });
});
