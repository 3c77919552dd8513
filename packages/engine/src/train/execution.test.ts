import { beforeAll, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { chooseExecution } from "./execution.ts";
import { fit } from "./fit.ts";
import { blobs, tinyModel } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

const long = { epochs: 500, batchSize: 16, seed: 7, restoreBest: false } satisfies Partial<FitOptions>;

async function train(options: Partial<FitOptions>) {
  const model = tinyModel(0.3);
  const result = await fit(model, { ...blobs(64, 1), ...long, ...options });
  return { result, weights: modelWeights(model) };
}

describe("the way in which steps run", () => {
  it("is a graph, by XLA only for long trainings of small dense models", () => {
    const conv = tf.sequential({ layers: [tf.layers.conv1d({ filters: 1, kernelSize: 1, inputShape: [2, 1] })] });
    const large = tf.sequential({ layers: [tf.layers.dense({ units: 1000, inputShape: [1000] })] });
    expect(chooseExecution(tinyModel(0.3), 2000).mode).toBe("graph-xla");
    expect(chooseExecution(tinyModel(), 1999)).toMatchObject({
      mode: "graph",
      reason: expect.stringContaining("1999 steps"),
    });
    expect(chooseExecution(conv, 9999)).toMatchObject({ mode: "graph", reason: expect.stringContaining("Conv1D") });
    expect(chooseExecution(large, 9999)).toMatchObject({
      mode: "graph",
      reason: expect.stringContaining("1001000 weights"),
    });
    expect(chooseExecution(tinyModel(), 9999, false, 2).mode).toBe("graph");
    expect(chooseExecution(tinyModel(), 9999, true)).toEqual({ mode: "eager", reason: "asked for" });
  });

  it("with XLA gives the same weights again, also after an interruption", async () => {
    const whole = await train({});
    expect(whole.result.execution.mode).toBe("graph-xla");
    let saved: Checkpoint | undefined;
    const checkpoint = {
      everySeconds: 3600,
      load: () => Promise.resolve(saved),
      save: (made: Checkpoint) => Promise.resolve(void (saved = structuredClone(made))),
    };
    const abort = new AbortController();
    const stop = train({ checkpoint, signal: abort.signal, onBatch: ({ step }) => step === 1234 && abort.abort() });
    await expect(stop).rejects.toMatchObject({ code: "cancelled" });
    expect(saved?.step).toBe(1234);
    expect((await train({ checkpoint })).weights).toEqual(whole.weights);
  });
});
