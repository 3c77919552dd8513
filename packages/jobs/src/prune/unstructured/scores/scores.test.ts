import { readFile } from "node:fs/promises";
import { assignWeights, initEngine, modelWeights, tf } from "@whittle/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { lossGradients, meanGradients } from "../../gradients.ts";
import { kernelsOf } from "../../../shared/masks.ts";
import { selectWeights } from "../select.ts";
import { inputNorms } from "./input-norms.ts";
import { l1Scores } from "./l1.ts";
import { randomScores } from "./random.ts";
import { snipScores } from "./snip.ts";
import { wandaScores } from "./wanda.ts";

const numbers = z.array(z.number());
const fixture = z.object({
  x: numbers,
  y: numbers,
  weights: z.array(z.object({ shape: numbers, data: numbers })),
  snip: z.array(numbers),
  wanda: z.array(numbers),
  wandaMasks: z.array(numbers),
  pattern2of4: z.array(numbers),
  pattern1of3: z.array(numbers),
});
const text = await readFile(new URL("../fixtures/torch-scores.json", import.meta.url), "utf8");
const torch = fixture.parse(JSON.parse(text));

const kernel = (data: number[], shape: number[], name = "dense/kernel") => ({
  name,
  shape,
  data: Float32Array.from(data),
});
const lists = (arrays: ArrayLike<number>[]) => arrays.map((array) => Array.from(array));

describe("scores worked by hand", () => {
  const kernels = [kernel([1, -2, 3, -4], [2, 2])];

  it("are |w dL/dw| by snip", () => {
    const gradients = { "dense/kernel": Float32Array.of(-4, 1, 0, 0.5) };
    expect(lists(snipScores(kernels, gradients))).toEqual([[4, 2, 0, 2]]);
  });

  it("are |w| times the norm of the input channel by wanda, and |w| where there is none", () => {
    expect(lists(wandaScores(kernels, new Map([["dense/kernel", Float32Array.of(10, 0.5)]])))).toEqual([
      [10, 20, 1.5, 2],
    ]);
    expect(wandaScores(kernels, new Map())).toEqual(l1Scores(kernels));
  });

  it("are drawn by the seed as a control, whatever the weights", () => {
    const drawn = (seed: number, data = [1, 2, 3, 4]) => lists(randomScores([kernel(data, [2, 2])], seed));
    expect(drawn(1)).toEqual(drawn(1, [9, 8, 7, 6]));
    expect(drawn(1)).not.toEqual(drawn(2));
    expect(
      drawn(1)
        .flat()
        .every((score) => score >= 0 && score < 1),
    ).toBe(true);
  });
});

describe("the scores of a network beside torch", () => {
  let model: tf.Sequential;
  const x = { values: Float32Array.from(torch.x), shape: [3, 3, 5], scale: 1, offset: 0 };
  const y = Int32Array.from(torch.y);

  beforeAll(async () => {
    await initEngine();
    model = tf.sequential({
      layers: [
        tf.layers.conv2d({
          name: "conv",
          filters: 4,
          kernelSize: 3,
          padding: "same",
          activation: "relu",
          useBias: false,
          inputShape: x.shape,
        }),
        tf.layers.flatten(),
        tf.layers.dense({ name: "dense", units: 3, useBias: false }),
      ],
    });
    const [conv, dense] = torch.weights.map(({ shape, data }) => ({ shape, data: Float32Array.from(data) }));
    assignWeights(model, { "conv/kernel": conv!, "dense/kernel": dense! });
  });
  afterAll(() => model.dispose());

  const kernels = () => kernelsOf(modelWeights(model));
  const difference = (scores: Float32Array[], expected: number[][]) =>
    Math.max(
      ...expected.map((layer, at) =>
        Math.max(...layer.map((value, i) => Math.abs((scores[at]?.[i] ?? Infinity) - value))),
      ),
    );

  // 70 samples: a whole batch and a smaller one.
  it("are the same by snip", () => {
    const gradients = meanGradients(lossGradients(model, { x, y }, y.length));
    expect(difference(snipScores(kernels(), gradients), torch.snip)).toBeLessThan(1e-4);
  });

  it("are the same by wanda, and so are the masks for each output", () => {
    const norms = inputNorms(model, x, Int32Array.from(y.keys()));
    const scores = wandaScores(kernels(), norms);
    expect(difference(scores, torch.wanda)).toBeLessThan(1e-4);
    expect(lists(selectWeights(kernels(), scores, "output", { amount: 0.4 }))).toEqual(torch.wandaMasks);
  });

  it("give the same masks by n:m", () => {
    const masks = (keep: number, of: number) => selectWeights(kernels(), l1Scores(kernels()), "global", { keep, of });
    expect(lists(masks(2, 4))).toEqual(torch.pattern2of4);
    expect(lists(masks(1, 3))).toEqual(torch.pattern1of3);
  });
});
