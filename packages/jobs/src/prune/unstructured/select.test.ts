import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { l1Scores } from "./scores/l1.ts";
import { leftOver, selectWeights, type Cut, type Scope } from "./select.ts";

const fixture = z.object({
  weights: z.array(z.array(z.number())),
  cases: z.array(
    z.object({ scope: z.enum(["local", "global"]), amount: z.number(), masks: z.array(z.array(z.number())) }),
  ),
});
const torch = fixture.parse(JSON.parse(await readFile(new URL("fixtures/torch-prune.json", import.meta.url), "utf8")));

const kernel = (data: Float32Array, shape = [data.length, 1], name = "dense/kernel") => ({ name, shape, data });

/** Masks by magnitude; a layer is an array where its shape does not matter. */
function masks(layers: (Float32Array | ReturnType<typeof kernel>)[], scope: Scope, cut: Cut): number[][] {
  const kernels = layers.map((layer) => (layer instanceof Float32Array ? kernel(layer) : layer));
  return selectWeights(kernels, l1Scores(kernels), scope, cut).map((mask) => Array.from(mask));
}
const zeros = (mask: number[]) => mask.filter((keep) => keep === 0).length;

describe("the choice of weights by a share or a threshold", () => {
  const layers = [Float32Array.of(0.1, -0.4, 0.2, 0.25), Float32Array.of(-5, 0.3)];

  it("compares all layers together when global", () => {
    expect(masks(layers, "global", { amount: 0.5 })).toEqual([
      [0, 1, 0, 0],
      [1, 1],
    ]);
  });

  it("takes the same share of each layer when local", () => {
    expect(masks(layers, "local", { amount: 0.5 })).toEqual([
      [0, 1, 0, 1],
      [1, 0],
    ]);
  });

  it("takes the same share of what each output of a layer reads", () => {
    const two = kernel(Float32Array.of(1, 8, -2, 7, 3, -6, 4, 5), [4, 2]);
    expect(masks([two], "output", { amount: 0.5 })).toEqual([[0, 1, 0, 1, 1, 0, 1, 0]]);
  });

  it("cuts below a threshold and keeps what lies on it", () => {
    expect(masks([Float32Array.of(0.25, -0.25, 0.2, -0.3)], "global", { threshold: 0.25 })).toEqual([[1, 1, 0, 1]]);
  });

  it.each(torch.cases)("agrees with torch: $scope, amount $amount", ({ scope, amount, masks: expected }) => {
    const weights = torch.weights.map((layer) => Float32Array.from(layer));
    expect(masks(weights, scope, { amount })).toEqual(expected);
  });

  it("prunes exactly the share asked for when magnitudes are equal, the first ones first", () => {
    const equal = Float32Array.of(1, -1, 1, -1, 1, 2);
    expect(masks([equal], "global", { amount: 0.5 })).toEqual([[0, 0, 0, 1, 1, 1]]);
  });

  it("prunes round(n amount) weights for every amount", () => {
    const weights = Float32Array.from({ length: 137 }, (_, i) => Math.fround(Math.sin(i + 1)));
    for (let amount = 0; amount < 1; amount += 1 / 64) {
      expect(zeros(masks([weights], "global", { amount })[0] ?? [])).toBe(Math.round(137 * amount));
    }
  });

  it("leaves one weight of a small layer", () => {
    expect(masks([Float32Array.of(1, 2)], "local", { amount: 0.9 })).toEqual([[0, 1]]);
    expect(masks([Float32Array.of(1, 2)], "local", { amount: 0.999 })).toEqual([[0, 1]]);
  });

  it("never lets go of a zero that is there already", () => {
    expect(masks([Float32Array.of(0, -0, 1, 2)], "global", { amount: 0.25 })).toEqual([[0, 0, 1, 1]]);
    expect(masks([Float32Array.of(0, 1)], "global", { threshold: 0 })).toEqual([[0, 1]]);
  });

  it("counts a zero as pruned before a weight whose score is zero", () => {
    const layer = kernel(Float32Array.of(3, 0, 2, 1));
    const [mask = []] = selectWeights([layer], [Float32Array.of(0, 5, 1, 2)], "global", { amount: 0.25 });
    expect([...mask]).toEqual([1, 0, 1, 1]);
  });
});

describe("n:m", () => {
  it("keeps the largest of each group of inputs of an output", () => {
    // Columns are outputs: 1 -2 3 4 | 9, and 8 7 -6 5 | 0.5.
    const dense = kernel(Float32Array.of(1, 8, -2, 7, 3, -6, 4, 5, 9, 0.5), [5, 2]);
    expect(masks([dense], "global", { keep: 2, of: 4 })).toEqual([[0, 1, 0, 1, 1, 0, 1, 0, 1, 1]]);
    expect(leftOver(dense, 4)).toBe(1);
    expect(leftOver(kernel(new Float32Array(12), [4, 3], "embedding/embeddings"), 4)).toBe(0);
  });

  it("groups the input channels of a convolution at each position of its kernel", () => {
    const conv = kernel(Float32Array.of(1, 2, 4, 3), [2, 1, 2, 1], "conv/kernel");
    expect(masks([conv], "global", { keep: 1, of: 2 })).toEqual([[0, 1, 1, 0]]);
  });

  it("leaves depthwise layers, whose outputs read one input", () => {
    const depthwise = kernel(Float32Array.of(1, 2, 3, 4), [1, 1, 4, 1], "conv/depthwise_kernel");
    expect(masks([depthwise], "global", { keep: 2, of: 4 })).toEqual([[1, 1, 1, 1]]);
  });
});
