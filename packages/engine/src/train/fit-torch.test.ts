import { beforeAll, describe, expect, it } from "vitest";
import { assignWeights, modelWeights, type ModelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { fit } from "./fit.ts";
import torch from "./fixtures/torch_training.json" with { type: "json" };

beforeAll(() => initEngine());

function network(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.dense({ name: "hidden", units: 4, activation: "relu", inputShape: [2] }),
      tf.layers.dense({ name: "logits", units: 3 }),
    ],
  });
}

function toWeights(values: Record<string, { shape: number[]; data: number[] }>): ModelWeights {
  const entries = Object.entries(values);
  return Object.fromEntries(entries.map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]));
}

const flat = (weights: ModelWeights) => Object.values(weights).flatMap(({ data }) => [...data]);

describe("fit beside PyTorch's loop", () => {
  it("goes through the same losses to the same weights", async () => {
    const { x, y, start, losses, end } = torch.training;
    const model = network();
    assignWeights(model, toWeights(start));
    const { epochs } = await fit(model, {
      x: tf.tensor2d(x),
      y: Int32Array.from(y),
      epochs: losses.length,
      batchSize: x.length,
      optimizer: { type: "adam", learningRate: 0.05, epsilon: 1e-9 },
      schedule: { type: "cosine" },
      clip: { norm: 0.5 },
    });
    expect(epochs.map(({ loss }) => loss)).toEqual(losses.map((loss) => expect.closeTo(loss, 5)));
    expect(flat(modelWeights(model))).toEqual(flat(toWeights(end)).map((value) => expect.closeTo(value, 4)));
  });
});
