import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { nativeBinding } from "../runtime/native.ts";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { evaluate } from "./evaluate.ts";
import { fit } from "./fit.ts";
import { blobs, tinyModel } from "./testing.ts";
import type { EpochPoint, FitOptions, FitResult } from "./types.ts";

beforeAll(() => initEngine());

let data: ReturnType<typeof blobs>;
let validation: ReturnType<typeof blobs>;
let tensors = 0;
let handles: number | undefined;

beforeEach(() => {
  tensors = tf.memory().numTensors;
  handles = nativeBinding()?.getNumOfTensors();
  data = blobs(100, 1);
  validation = blobs(60, 2);
});

afterEach(() => {
  data.x.dispose();
  validation.x.dispose();
  assert.equal(tf.memory().numTensors, tensors, "tensors are left");
  assert.equal(nativeBinding()?.getNumOfTensors(), handles, "native tensors are left");
});

type Options = Partial<FitOptions>;
const fast = { epochs: 4, batchSize: 16, optimizer: { type: "adam", learningRate: 0.03 }, seed: 7 } satisfies Options;

/** Trains a fresh model and gives its weights, as bytes that compare bit for bit. */
async function train(options: Options = {}, dropout = 0): Promise<{ result: FitResult; weights: string }> {
  const model = tinyModel(dropout);
  try {
    const result = await fit(model, { ...data, ...fast, ...options });
    return { result, weights: fingerprint(model) };
  } finally {
    model.dispose();
  }
}

function fingerprint(model: tf.LayersModel): string {
  const hash = createHash("sha256");
  for (const { data: values } of Object.values(modelWeights(model))) hash.update(values);
  return hash.digest("hex");
}

const withoutTime = (points: EpochPoint[]) => points.map((point) => ({ ...point, seconds: 0 }));

describe("fit", () => {
  it("learns, and reports losses and accuracies of each epoch", async () => {
    const { result } = await train({ validation, epochs: 12 });
    expect(result.epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
    const [first, last] = [result.epochs[0], result.epochs.at(-1)];
    expect(last?.valAccuracy).toBeGreaterThan(0.9);
    expect(last?.loss).toBeLessThan((first?.loss ?? 0) / 2);
    expect(result).toMatchObject({ steps: 12 * 7, stoppedEarly: false });
  });

  it("reports the mean over all samples, the smaller last batch weighing less", async () => {
    const model = tinyModel();
    const before = await evaluateData(model);
    const { epochs } = await fit(model, {
      ...data,
      epochs: 1,
      batchSize: 16,
      optimizer: { type: "sgd", learningRate: 1e-9 },
    });
    expect(epochs[0]?.loss).toBeCloseTo(before.loss, 5);
    expect(epochs[0]?.accuracy).toBeCloseTo(before.accuracy, 10);
    model.dispose();
  });
});

describe("fit with a seed", () => {
  it("gives the same weights for the same seed and others for another", async () => {
    const [first, again, other] = [await train({}, 0.3), await train({}, 0.3), await train({ seed: 8 }, 0.3)];
    expect(again.weights).toBe(first.weights);
    expect(other.weights).not.toBe(first.weights);
  });

  it("goes on from a checkpoint in the middle of an epoch to the very same weights and history", async () => {
    const whole = await train({ validation }, 0.3);
    let saved: Checkpoint | undefined;
    const hooks = {
      load: () => Promise.resolve(saved),
      save: (checkpoint: Checkpoint) => Promise.resolve(void (saved = structuredClone(checkpoint))),
    };
    const abort = new AbortController();
    const interrupted = train(
      { validation, checkpoint: hooks, signal: abort.signal, onBatch: ({ step }) => step === 11 && abort.abort() },
      0.3,
    );
    await expect(interrupted).rejects.toMatchObject({ code: "cancelled" });
    expect(saved).toMatchObject({ epoch: 1, batch: 4, step: 11 });
    const resumed = await train({ validation, checkpoint: hooks }, 0.3);
    expect(resumed.weights).toBe(whole.weights);
    expect(withoutTime(resumed.result.epochs)).toEqual(withoutTime(whole.result.epochs));
  });
});

describe("fit, beside the plain loop,", () => {
  it("keeps masked weights at zero through momentum, and leaves the others free", async () => {
    const model = tinyModel();
    const mask = tf.tensor2d([
      [0, 1, 0, 1, 0, 1, 0, 1],
      [1, 1, 1, 1, 0, 0, 0, 0],
    ]);
    await fit(model, { ...data, ...fast, optimizer: { type: "momentum" }, masks: { "hidden/kernel": mask } });
    const kernel = [...(modelWeights(model)["hidden/kernel"]?.data ?? [])];
    expect(kernel.map((value) => (value === 0 ? 0 : 1))).toEqual([...mask.dataSync()]);
    mask.dispose();
    model.dispose();
  });

  it("returns to the weights of the best epoch", async () => {
    const model = tinyModel();
    const contrary = { x: validation.x, y: validation.y.map((label) => (label + 1) % 3) };
    const { epochs, bestEpoch } = await fit(model, { ...data, ...fast, monitor: "loss", validation: contrary });
    const labels = tf.tensor1d(contrary.y, "int32");
    const { loss } = await evaluate(model, validation.x, labels);
    const least = Math.min(...epochs.map(({ valLoss }) => valLoss ?? Infinity));
    expect(epochs.at(-1)?.valLoss, "the last epoch must not be the best").toBeGreaterThan(least);
    expect(epochs[bestEpoch - 1]?.valLoss).toBe(least);
    expect(loss).toBe(least);
    labels.dispose();
    model.dispose();
  });

  it("stops when the validation loss no longer improves", async () => {
    const { result } = await train({
      validation,
      epochs: 50,
      monitor: "loss",
      earlyStopping: { patience: 2, minDelta: 1 },
    });
    expect(result).toMatchObject({ stoppedEarly: true });
    expect(result.epochs).toHaveLength(3);
  });

  it("ends on an abort that comes from outside while it runs", async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 1);
    const endless = train({ epochs: 10_000, signal: abort.signal });
    await expect(endless).rejects.toMatchObject({ code: "cancelled" });
  });

  it("comes to the same as one graph and op by op, up to rounding", async () => {
    const [graph, eager] = [await train({ validation }, 0.3), await train({ validation, mode: "eager" }, 0.3)];
    expect([graph.result.execution.mode, eager.result.execution.mode]).toEqual(["graph", "eager"]);
    const losses = eager.result.epochs.map(({ loss, valLoss = Number.NaN }) => [loss, valLoss]);
    expect(graph.result.epochs.map(({ loss, valLoss }) => [loss, valLoss])).toEqual(
      losses.map((pair) => pair.map((value) => expect.closeTo(value, 4))),
    );
  });

  it("passes the loss the samples' places in the training data", async () => {
    const seen: number[] = [];
    const seeIndices: FitOptions["loss"] = ({ indices, y }, logits) => {
      seen.push(...indices.dataSync());
      return tf.losses.softmaxCrossEntropy(tf.oneHot(y, 3), logits).asScalar();
    };
    await train({ epochs: 1, loss: seeIndices, mode: "eager" });
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(seen).not.toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe("fit, given what can't work,", () => {
  it("says that the training diverged instead of going on with NaN", async () => {
    const wild = train({ optimizer: { type: "sgd", learningRate: 10 }, loss: ({ y }, logits) => exploding(y, logits) });
    await expect(wild).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "optimizer.learningRate", message: expect.stringContaining("lower the learning rate") }],
    });
  });

  it.each<[string, () => Options, string]>([
    ["settings", () => ({ batchSize: 0 }), "batchSize"],
    ["a label outside the classes", () => ({ y: data.y.map((label) => label + 1) }), "y.2"],
    ["a label too few", () => ({ y: data.y.subarray(1) }), "y"],
    ["a mask of no weight", () => ({ masks: { nothing: data.x } }), "masks.nothing"],
    ["a mask of another shape", () => ({ masks: { "hidden/bias": data.x } }), "masks.hidden/bias"],
  ])("refuses %s and names the field", async (_what, options, path) => {
    const refused = train(options());
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [{ path }] });
  });
});

function exploding(y: tf.Tensor1D, logits: tf.Tensor): tf.Scalar {
  return tf.losses.softmaxCrossEntropy(tf.oneHot(y, 3), tf.mul(logits, tf.exp(tf.mul(logits, 50)))).asScalar();
}

async function evaluateData(model: tf.LayersModel): ReturnType<typeof evaluate> {
  const labels = tf.tensor1d(data.y, "int32");
  const evaluation = await evaluate(model, data.x, labels);
  labels.dispose();
  return evaluation;
}
