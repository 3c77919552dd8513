import { describe, expect, it } from "vitest";
import { parse, trainingSettings } from "./index.ts";

describe("trainingSettings", () => {
  it("has a default for everything, down to the optimizer's constants", () => {
    expect(parse(trainingSettings, {}, "Settings")).toEqual({
      epochs: 5,
      batchSize: 128,
      accumulate: 1,
      precision: "float32",
      optimizer: { type: "adam", learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
      schedule: { type: "constant", warmupEpochs: 0 },
      clip: {},
      validationSplit: 0.1,
      monitor: "accuracy",
      restoreBest: true,
      seed: 1,
    });
  });

  it("fills in the defaults of the optimizer that is named", () => {
    const { optimizer } = parse(trainingSettings, { optimizer: { type: "momentum" } }, "Settings");
    expect(optimizer).toEqual({ type: "momentum", learningRate: 0.01, momentum: 0.9, nesterov: false });
  });

  it.each([
    [{ epochs: 0 }, "epochs", "epochs must be at least 1"],
    [{ optimizer: { type: "adam", learningRate: -1 } }, "optimizer.learningRate", "must be greater than 0"],
    [{ optimizer: { type: "adma" } }, "optimizer.type", "one of sgd, momentum, adam, adamw"],
    [{ schedule: { type: "step", factor: 2 } }, "schedule.factor", "at most 1"],
    [{ optimizer: { type: "sgd", momentum: 0.9 } }, "optimizer.momentum", "is not known; known are type, learningRate"],
    [{ clip: { value: 0 } }, "clip.value", "greater than 0"],
    [{ schedule: { type: "one-cycle", warmupShare: 1 } }, "schedule.warmupShare", "at most 0.9"],
    [{ schedule: { type: "one-cycle", divFactor: 0.5 } }, "schedule.divFactor", "at least 1"],
    [{ accumulate: 0 }, "accumulate", "at least 1"],
    [{ precision: "float16" }, "precision", "float32 or mixed_bfloat16"],
    [{ ema: { decay: 1 } }, "ema.decay", "below 1"],
    [{ augment: { flip: "diagonal" } }, "augment.flip", "horizontal, vertical or both"],
    [{ augment: { shift: 0.5 } }, "augment.shift", "must be a whole number, not 0.5"],
    [{ augment: { cutout: 0 } }, "augment.cutout", "at least 1"],
    [{ augment: { noise: -1 } }, "augment.noise", "greater than 0"],
    [{ seed: 2 ** 31 }, "seed", "at most 2147483647"],
  ])("refuses %j and says where and why", (value, path, message) => {
    const issue = { path, message: expect.stringContaining(message) };
    expect(() => parse(trainingSettings, value, "Settings")).toThrow(expect.objectContaining({ issues: [issue] }));
  });
});
