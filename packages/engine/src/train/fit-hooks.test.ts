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

const fast = {
  epochs: 3,
  batchSize: 16,
  optimizer: { type: "sgd", learningRate: 0.1 },
  seed: 7,
} satisfies Partial<FitOptions>;

async function train(options: Partial<FitOptions>, model = tinyModel()) {
  const result = await fit(model, { ...blobs(64, 1), ...fast, ...options });
  return { result, weights: modelWeights(model) };
}

/** Hooks that keep the checkpoint of the step at which the training is stopped. */
async function interrupted(at: number, options: Partial<FitOptions>): Promise<FitOptions["checkpoint"]> {
  let saved: Checkpoint | undefined;
  const checkpoint = {
    load: () => Promise.resolve(saved),
    save: (made: Checkpoint) => Promise.resolve(void (saved = structuredClone(made))),
  };
  const abort = new AbortController();
  const onBatch = ({ step }: { step: number }) => step === at && abort.abort();
  await expect(train({ ...options, checkpoint, signal: abort.signal, onBatch })).rejects.toMatchObject({
    code: "cancelled",
  });
  expect(saved?.step).toBe(at);
  return checkpoint;
}

/** A hint: the hidden layer, projected, is to be a fixed linear map of the inputs. */
function hint(projection: tf.Variable): Partial<FitOptions> {
  const target = tf.tensor2d([
    [1, -1, 0],
    [0, 2, 1],
  ]);
  return {
    taps: ["hidden"],
    lossVariables: [projection],
    loss: (batch, logits, { hidden }) => {
      if (!hidden) throw new RangeError("the hidden layer is missing");
      const miss = tf.mean(tf.square(tf.sub(tf.matMul(hidden, projection), tf.matMul(batch.x, target))));
      return tf.add(crossEntropy(batch, logits), miss);
    },
  };
}

const newProjection = () => tf.variable(tf.mul(tf.ones([8, 3]), 0.1));

describe("a loss with taps", () => {
  it("sees what the named layers give, and their gradients reach the weights behind them", async () => {
    const model = tinyModel();
    const { x, y } = blobs(64, 1);
    const [kernel, bias] = model.getLayer("hidden").getWeights();
    const before = tf.tidy(() => tf.mean(tf.relu(tf.add(tf.matMul(x, kernel ?? x), bias ?? x))).dataSync()[0]);
    const mean: FitOptions["loss"] = (_batch, _logits, { hidden }) => tf.mean(hidden ?? tf.zeros([0]));
    const { epochs } = await fit(model, { x, y, ...fast, epochs: 2, batchSize: 64, taps: ["hidden"], loss: mean });
    expect(epochs[0]?.loss).toBeCloseTo(before ?? Number.NaN, 6);
    expect(epochs[1]?.loss).toBeLessThan(before ?? Number.NaN);
  });

  it("trains its own variables with the model's optimizer, the same as one graph and op by op", async () => {
    const [graph, eager] = [newProjection(), newProjection()];
    const first = await train({ ...hint(graph), epochs: 6 });
    const again = await train({ ...hint(eager), epochs: 6, mode: "eager" });
    expect(first.result.execution.mode).toBe("graph");
    expect([...graph.dataSync()]).toEqual([...eager.dataSync()].map((value) => expect.closeTo(value, 4)));
    expect([...graph.dataSync()]).not.toContain(Math.fround(0.1));
    expect(Object.keys(again.weights)).toEqual(Object.keys(modelWeights(tinyModel())));
  });

  it("goes on from a checkpoint with its variables and what the optimizer keeps of them", async () => {
    const settings = { optimizer: { type: "adam", learningRate: 0.03 } } as const;
    const [whole, stopped, resumed] = [newProjection(), newProjection(), newProjection()];
    const { weights } = await train({ ...settings, ...hint(whole) });
    const checkpoint = await interrupted(5, { ...settings, ...hint(stopped) });
    expect((await train({ ...settings, ...hint(resumed), checkpoint })).weights).toEqual(weights);
    expect(resumed.dataSync()).toEqual(whole.dataSync());
  });

  it("is refused for a name of no layer, with the names that there are", async () => {
    await expect(train({ taps: ["hidden", "hiden"] })).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "taps.1", message: expect.stringContaining("hidden, logits") }],
    });
  });
});

/** Rounds to quarters and lets the gradient through as it is (Bengio et al., 1308.3432). */
const quarters = tf.customGrad((w) => {
  if (!(w instanceof tf.Tensor)) throw new TypeError("a tensor was expected");
  return { value: tf.div(tf.round(tf.mul(w, 4)), 4), gradFunc: (dy: tf.Tensor) => [dy] };
});

const rounded = (name: string, weight: tf.Tensor) => (name.endsWith("kernel") ? quarters(weight) : weight);

describe("a reparametrization", () => {
  it("is what the model computes with, while the optimizer changes the weights themselves", async () => {
    // One step on all samples of the logits' layer alone: w - r dL/dq at q = round(4 w) / 4, by hand from the softmax.
    const { x, y } = blobs(12, 1);
    const start = [0.3, -0.2, 0.9, 0.6, -1.1, 0.1];
    const model = tf.sequential({ layers: [tf.layers.dense({ name: "logits", units: 3, inputShape: [2] })] });
    model.setWeights([tf.tensor2d(start, [2, 3]), tf.zeros([3])]);
    await fit(model, { x, y, ...fast, epochs: 1, batchSize: 12, reparametrize: rounded });
    const q = start.map((w) => Math.round(4 * w) / 4);
    const points = x.arraySync();
    const expected = [...start];
    for (const [sample, [a = 0, b = 0]] of points.entries()) {
      const exps = [0, 1, 2].map((k) => Math.exp(a * (q[k] ?? 0) + b * (q[3 + k] ?? 0)));
      const sum = exps.reduce((total, value) => total + value);
      for (const [k, value] of exps.entries()) {
        const error = (value / sum - (y[sample] === k ? 1 : 0)) / points.length;
        expected[k] = (expected[k] ?? 0) - 0.1 * error * a;
        expected[3 + k] = (expected[3 + k] ?? 0) - 0.1 * error * b;
      }
    }
    const after = [...(modelWeights(model)["logits/kernel"]?.data ?? [])];
    expect(after).toEqual(expected.map((value) => expect.closeTo(value, 6)));
  });

  it("counts in validation too, and is not left in the model", async () => {
    const [model, validation] = [tinyModel(), blobs(60, 2)];
    const { result, weights } = await train({ validation, reparametrize: rounded, restoreBest: false }, model);
    const kernel = weights["hidden/kernel"]?.data ?? new Float32Array();
    expect(kernel.some((value) => !Number.isInteger(4 * value))).toBe(true);
    for (const layer of model.layers)
      layer.setWeights(layer.getWeights().map((w) => rounded(w.shape.length > 1 ? "kernel" : "", w)));
    const { loss } = await evaluate(model, validation.x, tf.tensor1d(validation.y, "int32"));
    expect(result.epochs.at(-1)?.valLoss).toBe(loss);
  });

  it("comes to the same as one graph and op by op", async () => {
    const [graph, eager] = [
      await train({ reparametrize: rounded }),
      await train({ reparametrize: rounded, mode: "eager" }),
    ];
    for (const [name, { data }] of Object.entries(eager.weights)) {
      expect([...(graph.weights[name]?.data ?? [])]).toEqual([...data].map((value) => expect.closeTo(value, 5)));
    }
  });

  it("is refused when it gives another shape", async () => {
    const flat: FitOptions["reparametrize"] = (_name, weight) => tf.reshape(weight, [-1]);
    await expect(train({ reparametrize: flat })).rejects.toMatchObject({ issues: [{ path: "reparametrize" }] });
  });
});

/** Masks the first column of the hidden kernel from step 5 on, and the second too from step 8 on. */
function gradual(): Partial<FitOptions> & { mask: tf.Variable } {
  const mask = tf.variable(tf.ones([2, 8]), false);
  const cut = (columns: number) =>
    tf.tidy(() => mask.assign(tf.concat([tf.zeros([2, columns]), tf.ones([2, 8 - columns])], 1)));
  return {
    mask,
    masks: { "hidden/kernel": mask },
    optimizer: { type: "momentum", learningRate: 0.05 },
    beforeStep: (step) => {
      if (step === 5) cut(1);
      if (step === 8) cut(2);
    },
  };
}

const zeros = (weights: ReturnType<typeof modelWeights>) =>
  [...(weights["hidden/kernel"]?.data ?? [])].flatMap((value, at) => (value === 0 ? [at] : []));

describe("masks that change between steps", () => {
  it("count from the step before which they changed, and the zeros stay", async () => {
    const { mask: _mask, ...options } = gradual();
    let traced = 0;
    const loss: FitOptions["loss"] = (batch, logits) => {
      traced += 1;
      return crossEntropy(batch, logits);
    };
    const model = tinyModel();
    const seen: number[][] = [];
    const onBatch = () => seen.push(zeros(modelWeights(model)));
    const { result } = await train({ ...options, loss, onBatch }, model);
    expect(result).toMatchObject({ steps: 12, execution: { mode: "graph" } });
    expect(seen.slice(4)).toEqual([
      [],
      ...Array.from({ length: 3 }, () => [0, 8]),
      ...Array.from({ length: 4 }, () => [0, 1, 8, 9]),
    ]);
    expect(traced, "a changed mask must not have the step recorded anew").toBe(2);
  });

  it("are in place already in the forward pass of their step", async () => {
    const mask = tf.variable(tf.ones([2, 8]), false);
    const beforeStep = () => mask.assign(tf.zerosLike(mask));
    const options = { epochs: 1, batchSize: 64, masks: { "hidden/kernel": mask }, beforeStep };
    const { result } = await train(options);
    expect(result.epochs[0]?.loss).toBeCloseTo(Math.log(3), 6);
  });

  it("come back with a checkpoint", async () => {
    const { weights } = await train(gradual());
    for (const at of [6, 9]) {
      const checkpoint = await interrupted(at, gradual());
      expect((await train({ ...gradual(), checkpoint })).weights).toEqual(weights);
    }
  });

  it("are announced each step's number and how many there are", async () => {
    const steps: [number, number][] = [];
    await train({ epochs: 2, beforeStep: (step, of) => void steps.push([step, of]) });
    expect(steps).toEqual(Array.from({ length: 8 }, (_, step) => [step, 8]));
  });
});
