import { beforeAll, describe, expect, it } from "vitest";
import { modelWeights, type ModelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import { evaluate } from "./evaluate.ts";
import { fit } from "./fit.ts";
import { crossEntropy } from "./loss.ts";
import { blobs, tinyImageModel, tinyImages, tinyModel } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

const fast = {
  epochs: 2,
  batchSize: 32,
  optimizer: { type: "adam", learningRate: 0.03 },
  seed: 7,
} satisfies Partial<FitOptions>;

async function train(options: Partial<FitOptions>, model = tinyModel()) {
  const result = await fit(model, { ...blobs(100, 1), ...fast, ...options });
  return { result, weights: modelWeights(model) };
}

const near = (weights: ModelWeights, digits: number) =>
  Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => [
      name,
      { shape, data: [...data].map((value) => expect.closeTo(value, digits)) },
    ]),
  );
const plain = (weights: ModelWeights) =>
  Object.fromEntries(Object.entries(weights).map(([name, { shape, data }]) => [name, { shape, data: [...data] }]));

describe("accumulated gradients", () => {
  it.each<[string, Partial<FitOptions>]>([
    ["as one graph", {}],
    ["op by op", { mode: "eager" }],
    ["with the joint norm clipped and weight decay", { clip: { norm: 0.1 }, optimizer: { type: "adamw" } }],
  ])("come to the same as one batch so much larger, the last and smaller step too, %s", async (_how, options) => {
    const large = await train(options);
    const parts = await train({ ...options, batchSize: 8, accumulate: 4 });
    expect(parts.result).toMatchObject({ steps: 8, execution: { mode: large.result.execution.mode } });
    expect(plain(parts.weights)).toEqual(near(large.weights, 5));
    const points = large.result.epochs.map(({ loss, accuracy }) => ({
      loss: expect.closeTo(loss, 5),
      accuracy: expect.closeTo(accuracy, 10),
    }));
    expect(parts.result.epochs).toMatchObject(points);
  });

  it("leave weights alone that the loss does not depend on, weight decay included", async () => {
    const idle = tf.variable(tf.ones([3]));
    await train({ accumulate: 2, optimizer: { type: "adamw", weightDecay: 0.5 }, lossVariables: [idle] });
    expect([...idle.dataSync()]).toEqual([1, 1, 1]);
  });

  it("drop out other units in each of the batches", async () => {
    const seen: string[] = [];
    const loss: FitOptions["loss"] = (batch, logits, { dropout }) => {
      seen.push([...(dropout ?? logits).dataSync()].map((value) => Math.sign(value)).join(""));
      return crossEntropy(batch, logits);
    };
    const x = tf.ones([8, 2]);
    const y = new Int32Array(8);
    const options = { x, y, epochs: 1, batchSize: 4, accumulate: 2, taps: ["dropout"], loss, mode: "eager" as const };
    await train(options, tinyModel(0.5));
    expect(new Set(seen).size).toBe(2);
  });
});

/** A training with averages, and the averages worked out from the weights after each step, as Keras does. */
async function averaged(options: Partial<FitOptions> = {}) {
  const model = tinyModel();
  let average: Record<string, number[]> = {};
  const onBatch = ({ step }: { step: number }) => {
    const entries = Object.entries(modelWeights(model)).map(([name, { data }]) => [
      name,
      [...data].map((w, at) => (step === 1 ? w : 0.8 * (average[name]?.[at] ?? 0) + (1 - 0.8) * w)),
    ]);
    average = Object.fromEntries(entries);
  };
  const { result } = await train({ ema: { decay: 0.8 }, restoreBest: false, ...options, onBatch }, model);
  return { model, result, average };
}

describe("moving averages", () => {
  it("are the weights in the end, and what validation judges", async () => {
    const validation = blobs(60, 2);
    const { model, result, average } = await averaged({ validation });
    for (const [name, { data }] of Object.entries(modelWeights(model))) {
      expect([...data]).toEqual(average[name]?.map((value) => expect.closeTo(value, 5)));
    }
    const { loss } = await evaluate(model, validation.x, tf.tensor1d(validation.y, "int32"));
    expect(result.epochs.at(-1)?.valLoss).toBe(loss);
  });

  it("leave the training itself as it is", async () => {
    const losses = async (options: Partial<FitOptions>) =>
      (await train({ ...options, validation: blobs(60, 2) })).result.epochs.map(({ loss }) => loss);
    expect(await losses({ ema: {} })).toEqual(await losses({}));
  });

  it("are what the best epoch brings back", async () => {
    const { x, y } = blobs(60, 2);
    const validation = { x, y: y.map((label) => (label + 1) % 3) };
    const { model, result } = await averaged({ epochs: 4, validation, monitor: "loss", restoreBest: true });
    expect(result.bestEpoch).toBeLessThan(4);
    const { loss } = await evaluate(model, x, tf.tensor1d(validation.y, "int32"));
    expect(loss).toBe(result.epochs[result.bestEpoch - 1]?.valLoss);
  });

  it("keep the zeros of masks", async () => {
    const mask = tf.variable(tf.ones([2, 8]), false);
    const beforeStep = (step: number) => step === 4 && mask.assign(tf.zerosLike(mask));
    const { model } = await averaged({ masks: { "hidden/kernel": mask }, beforeStep });
    expect(modelWeights(model)["hidden/kernel"]?.data.every((value) => value === 0)).toBe(true);
  });
});

describe("augmentation in fit", () => {
  const still = { optimizer: { type: "sgd", learningRate: 1e-9 }, epochs: 1 } as const;
  const augment = { flip: "horizontal", shift: 1, noise: 0.5, cutout: 2 } as const;

  it("changes what is trained on and never what is judged", async () => {
    const [model, data] = [tinyImageModel(), tinyImages(40)];
    const plainly = await fit(tinyImageModel(), { ...data, ...still });
    const { epochs } = await fit(model, { ...data, ...still, augment, validation: data });
    // The first weights of WebAssembly are others, with which these images' changes matter less.
    const digits = nativeBackend() ? 2 : 3;
    expect(epochs[0]?.loss).not.toBeCloseTo(plainly.epochs[0]?.loss ?? Number.NaN, digits);
    const { loss } = await evaluate(model, data.x, tf.tensor1d(data.y, "int32"));
    expect(epochs[0]?.valLoss).toBe(loss);
  });

  it("comes to the same as one graph and op by op", async () => {
    const run = async (mode: FitOptions["mode"]) => {
      const model = tinyImageModel();
      await fit(model, { ...tinyImages(40), ...fast, augment, mode });
      return modelWeights(model);
    };
    expect(plain(await run("graph"))).toEqual(near(await run("eager"), 4));
  });

  it.each<[string, FitOptions["augment"], string]>([
    ["a shift out of the image", { shift: 6 }, "augment.shift"],
    ["a square as large as the image", { cutout: 6 }, "augment.cutout"],
  ])("refuses %s", async (_what, settings, path) => {
    const refused = fit(tinyImageModel(), { ...tinyImages(8), ...still, augment: settings });
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [{ path }] });
  });

  it("refuses samples that are no images", async () => {
    const message = expect.stringContaining("is for images [height, width, channels], not for [2]");
    await expect(train({ augment: { noise: 0.1 } })).rejects.toMatchObject({ issues: [{ path: "augment", message }] });
  });
});
