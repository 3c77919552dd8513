import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { clipGradients } from "./clip.ts";
import torch from "./fixtures/torch_training.json" with { type: "json" };

beforeAll(() => initEngine());

function clipped(
  clip: { value?: number; norm?: number },
  gradients = [
    [3, -4, 0.5],
    [12, 0.1],
  ],
): number[][] {
  return tf.tidy(() => {
    const named = Object.fromEntries(gradients.map((gradient, index) => [`w${index}`, tf.tensor1d(gradient)]));
    return Object.values(clipGradients(named, clip)).map((tensor) => [...tensor.dataSync()]);
  });
}

const near = (expected: number[][]) => expected.map((gradient) => gradient.map((value) => expect.closeTo(value, 5)));

describe("clipGradients", () => {
  it("cuts each component to the value, as PyTorch", () => {
    expect(clipped({ value: 2 })).toEqual(near(torch.clipping.value));
  });

  it("scales all gradients to the joint norm, as PyTorch", () => {
    expect(clipped({ norm: 2 })).toEqual(near(torch.clipping.norm));
    // |(3, 4)| = 5, so a norm of 1 leaves a fifth.
    expect(clipped({ norm: 1 }, [[3], [-4]])).toEqual(near([[0.6], [-0.8]]));
  });

  it("leaves gradients below the norm as they are", () => {
    expect(clipped({ norm: 100 })).toEqual(near(torch.clipping.normNotReached));
    expect(clipped({ norm: 1 }, [[0], [0]])).toEqual([[0], [0]]);
  });

  it("cuts by value before it takes the norm", () => {
    expect(clipped({ value: 1, norm: 1 }, [[30], [-40]])).toEqual(near([[Math.SQRT1_2], [-Math.SQRT1_2]]));
  });
});
