import { describe, expect, it } from "vitest";
import { analyse } from "./analyse.ts";
import { quantizeOnnx } from "./quantize/quantize.ts";
import { noise, smallCnn, weight } from "./test-models.ts";

const halfZero = noise(192).map((value, at) => (at % 2 === 0 ? 0 : value + 1));
const sparse = smallCnn({
  "dense/kernel": weight([64, 3], halfZero),
  "conv/kernel": weight(
    [3, 3, 2, 4],
    noise(72).map((w) => w + 1),
  ),
});

describe("analysing a model", () => {
  it("counts weights, biases and multiply-accumulates", () => {
    // conv: 3*3*2*4 weights at 8*8 places, 4 biases; dense: 64*3 weights, 3 biases.
    expect(analyse(smallCnn())).toMatchObject({ parameters: 72 + 4 + 192 + 3, macs: 64 * 72 + 192 });
  });

  it("counts the zeros of the weights only", () => {
    expect(analyse(sparse).sparsity).toBeCloseTo(96 / 264, 10);
  });

  it.each(["symmetric", "affine"] as const)(
    "gives an int8 model with %s weights the counts of its float form",
    async (scheme) => {
      const calibration = { inputs: noise(8 * 128), shape: [8, 8, 2] };
      const { model } = await quantizeOnnx(sparse, { calibration, scheme });
      expect(analyse(model)).toEqual(analyse(sparse));
    },
  );
});
