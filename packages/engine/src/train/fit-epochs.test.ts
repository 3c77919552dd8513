import { beforeAll, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { evaluate } from "./evaluate.ts";
import { fit } from "./fit.ts";
import { crossEntropy } from "./loss.ts";
import { blobs, tinyModel } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

const data = () => blobs(64, 1);
const fast = {
  epochs: 4,
  batchSize: 16,
  optimizer: { type: "adam", learningRate: 0.03 },
  seed: 7,
} satisfies Partial<FitOptions>;

/** Samples whose labels are wrong, so that what is learned makes the loss on them rise: the first epoch is the best. */
function contrary(): ReturnType<typeof blobs> {
  const { x, y } = blobs(60, 2);
  return { x, y: y.map((label) => (label + 1) % 3) };
}

/** The weights of a network after a training, as numbers. */
async function trained(model: tf.LayersModel, options: Partial<FitOptions> = {}): Promise<number[]> {
  await fit(model, { ...data(), ...fast, ...options });
  return Object.values(modelWeights(model)).flatMap((weight) => [...weight.data]);
}

describe("the epochs of fit", () => {
  it("go through the samples in another order each", async () => {
    const orders: number[] = [];
    const loss: FitOptions["loss"] = (batch, logits) => {
      orders.push(...batch.indices.dataSync());
      return crossEntropy(batch, logits);
    };
    await trained(tinyModel(), { epochs: 2, loss, mode: "eager" });
    const [first, second] = [orders.slice(0, 64), orders.slice(64)];
    expect(second).not.toEqual(first);
    expect(second.toSorted((a, b) => a - b)).toEqual(first.toSorted((a, b) => a - b));
  });

  it("report the rate of their last step", async () => {
    // One epoch of warm-up over the four steps of an epoch, then half a cosine over the next four: its last step is 3/4 through.
    const schedule = { type: "cosine", warmupEpochs: 1 } as const;
    const optimizer = { type: "sgd", learningRate: 0.4 } as const;
    const { epochs } = await fit(tinyModel(), { ...data(), ...fast, epochs: 2, schedule, optimizer });
    const last = 0.2 * (1 + Math.cos(0.75 * Math.PI));
    expect(epochs.map(({ learningRate }) => learningRate)).toEqual([0.4, expect.closeTo(last, 12)]);
  });
});

describe("the best epoch's weights", () => {
  it("come back although the training was interrupted after it", async () => {
    const settings = { ...data(), ...fast, monitor: "loss", validation: contrary() } as const;
    let saved: Checkpoint | undefined;
    const checkpoint = {
      load: () => Promise.resolve(saved),
      save: (state: Checkpoint) => Promise.resolve(void (saved = structuredClone(state))),
    };
    const abort = new AbortController();
    const stopIn = ({ step }: { step: number }) => step === 10 && abort.abort();
    const interrupted = fit(tinyModel(), { ...settings, checkpoint, signal: abort.signal, onBatch: stopIn });
    await expect(interrupted).rejects.toMatchObject({ code: "cancelled" });
    const model = tinyModel();
    const { bestEpoch, epochs } = await fit(model, { ...settings, checkpoint });
    expect(bestEpoch, "the best epoch must lie before the interruption").toBeLessThanOrEqual(2);
    const { x, y } = settings.validation;
    expect((await evaluate(model, x, tf.tensor1d(y, "int32"))).loss).toBe(epochs[bestEpoch - 1]?.valLoss);
  });

  it("stay away when they are not asked for", async () => {
    const model = tinyModel();
    const { x, y } = contrary();
    const { epochs, bestEpoch } = await fit(model, {
      ...data(),
      ...fast,
      monitor: "loss",
      validation: { x, y },
      restoreBest: false,
    });
    expect(bestEpoch).toBeLessThan(4);
    expect((await evaluate(model, x, tf.tensor1d(y, "int32"))).loss).toBe(epochs[3]?.valLoss);
  });
});

describe("the last epoch's weights", () => {
  it("stay without validation samples, although another epoch was the best", async () => {
    const unlearn: FitOptions["loss"] = (batch, logits) => tf.neg(crossEntropy(batch, logits));
    const [model, same] = [tinyModel(), tinyModel()];
    await trained(model);
    await trained(same);
    const { bestEpoch } = await fit(model, { ...data(), ...fast, loss: unlearn });
    expect(bestEpoch).toBeLessThan(4);
    const last = await trained(same, { loss: unlearn, restoreBest: false });
    expect(Object.values(modelWeights(model)).flatMap((weight) => [...weight.data])).toEqual(last);
  });
});

describe("what fit does only in training", () => {
  it("is dropout, which changes what is learned", async () => {
    expect(await trained(tinyModel(0.5))).not.toEqual(await trained(tinyModel(0)));
  });

  it("is the statistics of batch normalization, which follow each batch by a hundredth", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.batchNormalization({ name: "norm", momentum: 0.99, inputShape: [2] }),
        tf.layers.dense({ name: "logits", units: 3 }),
      ],
    });
    const { x, y } = data();
    await fit(model, { x, y, epochs: 1, batchSize: 64 });
    const mean = tf.mean(x, 0).dataSync();
    const moved = [...(modelWeights(model)["norm/moving_mean"]?.data ?? [])];
    expect(moved).toEqual([...mean].map((value) => expect.closeTo(0.01 * value, 7)));
  });

  it("begins with the masks in place: the first step sees no weight that is cut", async () => {
    const masks = { "hidden/kernel": tf.zeros([2, 8]) };
    // With no input the untrained biases of zero give the same logits for all classes: a loss of ln 3.
    const { epochs } = await fit(tinyModel(), { ...data(), ...fast, epochs: 1, batchSize: 64, masks });
    expect(epochs[0]?.loss).toBeCloseTo(Math.log(3), 6);
  });
});
