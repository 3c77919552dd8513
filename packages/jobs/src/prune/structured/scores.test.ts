import { readFile } from "node:fs/promises";
import { assignWeights, initEngine, modelWeights, predict, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { lossGradients } from "../gradients.ts";
import { dependenciesOf } from "./dependencies.ts";
import { scoreGroups, type ScoreName } from "./scores.ts";
import { selectChannels } from "./select.ts";
import { withoutChannels } from "./surgery.ts";

const numbers = z.array(z.number());
const fixture = z.object({
  weights: z.record(z.string(), z.object({ shape: numbers, data: numbers })),
  x: numbers,
  y: numbers,
  scores: z.record(z.string(), z.array(numbers)),
  removed: z.array(numbers),
  outputs: numbers,
});
const torch = fixture.parse(
  JSON.parse(await readFile(new URL("fixtures/torch-channels.json", import.meta.url), "utf8")),
);

/** relu(norm(conv1)) + conv2 of it -> flatten -> dense1 -> dense2, with the weights of the fixture. */
function residual(): tf.LayersModel {
  const input = tf.input({ name: "in", shape: [4, 4, 2] });
  const same = { kernelSize: 3, padding: "same" as const };
  const layers = [
    tf.layers.conv2d({ name: "conv1", filters: 6, ...same }),
    tf.layers.batchNormalization({ name: "norm1", epsilon: 1e-3 }),
    tf.layers.reLU({ name: "relu1" }),
  ];
  const first = layers.reduce((value, layer) => apply(layer, value), input);
  const sum = apply(
    tf.layers.add({ name: "add" }),
    first,
    apply(tf.layers.conv2d({ name: "conv2", filters: 6, ...same }), first),
  );
  const flat = apply(tf.layers.flatten({ name: "flatten" }), sum);
  const hidden = apply(tf.layers.dense({ name: "dense1", units: 5, activation: "relu" }), flat);
  const model = tf.model({ inputs: input, outputs: apply(tf.layers.dense({ name: "dense2", units: 3 }), hidden) });
  const weights = Object.entries(torch.weights).map(
    ([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }] as const,
  );
  assignWeights(model, Object.fromEntries(weights));
  return model;
}

function apply(layer: tf.layers.Layer, ...inputs: tf.SymbolicTensor[]): tf.SymbolicTensor {
  const output = layer.apply(inputs.length === 1 && inputs[0] ? inputs[0] : inputs);
  if (output instanceof tf.SymbolicTensor) return output;
  throw new TypeError("a layer gave something else than one symbolic tensor");
}

describe("a residual network beside torch", () => {
  let model: tf.LayersModel;
  let x: tf.Tensor;
  beforeAll(async () => {
    await initEngine();
    model = residual();
    x = tf.tensor(torch.x, [torch.y.length, 4, 4, 2]);
  });

  function scored(score: ScoreName, seed = 1) {
    const samples = { x, y: Int32Array.from(torch.y) };
    const gradients = lossGradients(model, samples, torch.y.length).map((batch) => batch.gradients);
    return scoreGroups(dependenciesOf(model), score, { weights: modelWeights(model), gradients, seed });
  }

  it.each(["l1", "l2", "batch-norm", "taylor"] as const)("has the same scores by %s", (score) => {
    const groups = scored(score);
    expect(groups.map(({ layers }) => layers)).toEqual([["conv1", "conv2"], ["dense1"]]);
    for (const [at, expected] of (torch.scores[score] ?? []).entries()) {
      for (const [channel, value] of expected.entries()) {
        expect((groups[at]?.scores[channel] ?? 0) / value).toBeCloseTo(1, 3);
      }
    }
  });

  it("draws the scores of the control by the seed", () => {
    const all = (seed: number) => scored("random", seed).flatMap(({ scores }) => [...scores]);
    expect(all(1)).toEqual(all(1));
    expect(all(1)).not.toEqual(all(2));
    expect(new Set(all(1)).size).toBe(11);
  });

  it("gives the same outputs when the same channels are removed", async () => {
    const groups = scored("l2");
    const widths = new Map<string, number>();
    const removed = selectChannels(groups, 0.5, { scope: "local", roundTo: 1, widths });
    const places = groups.map(({ channels }) => [...channels.keys()].filter((at) => removed.has(channels[at] ?? -1)));
    expect(places).toEqual(torch.removed.map((each) => each.toSorted((a, b) => a - b)));
    const smaller = await withoutChannels(model, dependenciesOf(model), removed);
    const outputs = predict(smaller, x);
    for (const [at, value] of outputs.dataSync().entries()) expect(value).toBeCloseTo(torch.outputs[at] ?? 0, 3);
  });
});

describe("scoreGroups", () => {
  it("agrees with a case worked by hand", () => {
    // Kernel [2, 3] between 2 inputs and 3 units, read by [3, 1]. L1 of the units: 2, 4, 6 (mean 4) and 1, 1, 4 (mean 2).
    const weights = {
      "a/kernel": { shape: [2, 3], data: Float32Array.of(1, -2, 3, -1, 2, 3) },
      "b/kernel": { shape: [3, 1], data: Float32Array.of(1, -1, 4) },
    };
    const axes = new Map([
      ["a/kernel", new Map([[1, [7, 8, 9]]])],
      ["b/kernel", new Map([[0, [7, 8, 9]]])],
    ]);
    const places = [
      { weight: "a/kernel", axis: 1 },
      { weight: "b/kernel", axis: 0 },
    ];
    const groups = [{ key: "units", layers: ["a"], axes: places, channels: [7, 8, 9] }];
    const evidence = { weights, gradients: [], seed: 1 };
    const scored = scoreGroups({ groups, axes, sizes: [], opaque: [] }, "l1", evidence);
    expect([...(scored[0]?.scores ?? [])]).toEqual([(2 / 4 + 1 / 2) / 2, (4 / 4 + 1 / 2) / 2, (6 / 4 + 4 / 2) / 2]);
    // Two batches: the sums of w g over the units are (1, -2, 3) and (2, 0, 0), their squares (1, 4, 9) + (4, 0, 0), of mean 6.
    const gradients = [
      { "a/kernel": Float32Array.of(1, 1, 1, 0, 0, 0), "b/kernel": new Float32Array(3) },
      { "a/kernel": Float32Array.of(2, 0, 0, 0, 0, 0), "b/kernel": new Float32Array(3) },
    ];
    const taylor = scoreGroups({ groups, axes, sizes: [], opaque: [] }, "taylor", { ...evidence, gradients });
    expect([...(taylor[0]?.scores ?? [])]).toEqual([5 / 6 / 2, 4 / 6 / 2, 9 / 6 / 2]);
  });
});
