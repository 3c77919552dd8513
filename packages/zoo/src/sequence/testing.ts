import { fit, initEngine, loadModel, predict, saveModel, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import type { FamilyName } from "../catalog.ts";
import { buildModel } from "../index.ts";

const tokens = { inputShape: [9], vocabulary: 20, classes: 3, seed: 3 };

/**
 * Tests what a family for sequences does beside images: tokens, rows, and what it refuses.
 * @param parameters how many weights it must have for 20 tokens and 3 classes.
 */
export function testSequenceFamily(name: FamilyName, params: Record<string, unknown>, parameters: number): void {
  describe(`sequence family ${name}`, () => {
    beforeAll(() => initEngine());

    it("has as many weights as its layers need", () => {
      expect(buildModel(name, params, tokens).countParams()).toBe(parameters);
    });

    it("learns which token samples have, and predicts the same when saved and loaded", async () => {
      const model = buildModel(name, params, tokens);
      const labels = Int32Array.from({ length: 96 }, (_, sample) => sample % 3);
      const x = tf.tidy(() => tf.add(tf.floor(tf.randomUniform([96, 9], 0, 5, "float32", 1)), tokenOf(labels)));
      const optimizer = { type: "adam", learningRate: 0.02 } as const;
      const { epochs } = await fit(model, { x, y: labels, epochs: 15, batchSize: 32, optimizer, seed: 1 });
      expect(epochs.at(-1)?.accuracy).toBeGreaterThan(0.95);
      const loaded = await loadModel(await saveModel(model));
      expect([...predict(loaded, x).dataSync()]).toEqual([...predict(model, x).dataSync()]);
    });

    it("takes rows of numbers as they are", () => {
      const model = buildModel(name, params, { ...tokens, inputShape: [6, 5], vocabulary: undefined });
      expect(predict(model, tf.ones([2, 6, 5])).shape).toEqual([2, 3]);
    });

    it.each([
      ["tokens without a vocabulary", { inputShape: [9], vocabulary: undefined }, "not [9] without a vocabulary"],
      ["tokens in rows", { inputShape: [9, 2] }, "not [9, 2] of 20 tokens"],
    ])("refuses %s, saying what it takes", (_what, change, message) => {
      const refusal = { code: "invalid_request", message: expect.stringContaining(message) };
      expect(() => buildModel(name, params, { ...tokens, ...change })).toThrow(expect.objectContaining(refusal));
    });
  });
}

/** Samples of class c use the tokens 5 c to 5 c + 4. */
function tokenOf(labels: Int32Array): tf.Tensor {
  return tf.mul(tf.reshape(tf.tensor1d(labels, "float32"), [labels.length, 1]), 5);
}
