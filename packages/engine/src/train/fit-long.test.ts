import { beforeAll, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { nativeBinding } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import { fit } from "./fit.ts";
import { crossEntropy } from "./loss.ts";
import { interruptionAt, tinyImageModel, tinyImages } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

/** All at once that a training can be asked for, with new variables and masks. */
function everything() {
  const projection = tf.tidy(() => tf.variable(tf.mul(tf.ones([2, 2]), 0.1)));
  const mask = tf.tidy(() => tf.variable(tf.ones([64, 2]), false));
  const options = {
    epochs: 4,
    batchSize: 4,
    accumulate: 2,
    seed: 7,
    monitor: "loss",
    optimizer: { type: "adamw", learningRate: 0.03 },
    schedule: { type: "one-cycle" },
    clip: { norm: 1 },
    ema: { decay: 0.9 },
    augment: { flip: "both", shift: 1, noise: 0.1, cutout: 2 },
    taps: ["logits"],
    lossVariables: [projection],
    loss: (batch, logits, { logits: tapped = logits }) =>
      tf.add(crossEntropy(batch, logits), tf.mean(tf.square(tf.matMul(tapped, projection)))),
    reparametrize: (_name, weight) => tf.add(weight, tf.mul(tf.square(weight), 0.1)),
    masks: { "logits/kernel": mask },
    beforeStep: (step) => {
      if (step % 10 === 5)
        tf.tidy(() => mask.assign(tf.cast(tf.greater(tf.range(0, 128).reshape([64, 2]), step), "float32")));
    },
  } satisfies Partial<FitOptions>;
  return { options, dispose: () => tf.dispose([projection, mask]) };
}

async function train(more: Partial<FitOptions> = {}, samples = 40) {
  const [model, { options, dispose }] = [tinyImageModel(0.3), everything()];
  try {
    const data = tinyImages(samples);
    const result = await fit(model, { ...data, validation: data, ...options, ...more });
    const epochs = result.epochs.map((point) => ({ ...point, seconds: 0 }));
    return { weights: modelWeights(model), epochs, steps: result.steps };
  } finally {
    model.dispose();
    dispose();
  }
}

describe("a training with everything at once", () => {
  it.each([
    ["in the middle of an epoch", 7],
    ["between two epochs", 10],
    ["after its best epoch", 19],
  ])("goes on after an interruption %s to the very same weights and history", async (_when, at) => {
    const whole = await train();
    expect(whole.steps).toBe(20);
    const { stop, resume, savedStep } = interruptionAt(at);
    await expect(train(stop)).rejects.toMatchObject({ code: "cancelled" });
    expect(savedStep()).toBe(at);
    expect(await train(resume)).toEqual(whole);
  });

  it("gives the same weights for the same seed and others for another", async () => {
    const { weights } = await train();
    expect((await train()).weights).toEqual(weights);
    expect((await train({ seed: 8 })).weights).not.toEqual(weights);
  });

  it("leaves no tensor and no handle behind in 1,000 steps, and holds no more of them as it goes", async () => {
    const held: { tensors: number; handles: number | undefined }[] = [];
    const count = () => ({ tensors: tf.memory().numTensors, handles: nativeBinding()?.getNumOfTensors() });
    const before = count();
    const onEpoch = () => void held.push(count());
    const { steps } = await train({ epochs: 10, batchSize: 1, accumulate: 2, onEpoch }, 200);
    expect(steps).toBe(1000);
    expect(new Set(held.slice(1).map((at) => JSON.stringify(at))).size).toBe(1);
    expect(count()).toEqual(before);
  });
});
