import { initEngine, tf } from "@whittle/engine";
import { buildModel } from "@whittle/zoo";
import { families } from "@whittle/zoo/catalog";
import { beforeAll, describe, expect, it } from "vitest";
import { dependenciesOf } from "./dependencies.ts";
import { expectExact, randomized } from "./testing/exactness.ts";
import { randomModel } from "./testing/random-model.ts";

beforeAll(() => initEngine());

const images = (shape: number[]) => tf.randomUniform([4, ...shape], -1, 1, "float32", 5);

describe("withoutChannels", () => {
  for (const { name, examples } of Object.values(families)) {
    it.each(examples)(
      `gives what the model gives when the removed channels are zero: ${name} $params`,
      async (example) => {
        const { params, inputShape, vocabulary } = example;
        const model = buildModel(name, params, { inputShape, vocabulary, classes: 3, seed: 1 });
        const whole = await randomized(model, 2);
        const inputs = vocabulary
          ? tf.randomUniform([4, ...inputShape], 0, vocabulary, "int32", 5)
          : images(inputShape);
        // Layer normalization takes the mean over the channels.
        const spared = name === "transformer" ? /norm/ : undefined;
        const removed = await expectExact(whole, 3, inputs, spared);
        expect(removed.size > 0).toBe(dependenciesOf(whole).groups.length > 0);
      },
    );
  }

  it("does so for recurrent layers and embeddings", async () => {
    const layers = [
      tf.layers.embedding({ name: "embedding", inputDim: 9, outputDim: 6, inputLength: 5 }),
      tf.layers.gru({ name: "gru", units: 5, returnSequences: true }),
      tf.layers.conv1d({ name: "conv", filters: 6, kernelSize: 2 }),
      tf.layers.lstm({ name: "lstm", units: 4, returnSequences: true }),
      tf.layers.simpleRNN({ name: "rnn", units: 4 }),
      tf.layers.dense({ name: "logits", units: 3 }),
    ];
    const whole = await randomized(tf.sequential({ layers }), 1);
    const tokens = tf.tensor([
      [1, 2, 3, 4, 5],
      [8, 0, 7, 0, 6],
    ]);
    const removed = await expectExact(whole, 2, tokens);
    expect(removed.size).toBeGreaterThan(4);
  });

  it("does so for models drawn at random", async () => {
    const inputs = images([6, 6, 3]);
    let removed = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const model = randomModel(seed);
      const whole = await randomized(model, seed);
      removed += (await expectExact(whole, seed, inputs)).size;
      model.dispose();
      whole.dispose();
    }
    expect(removed).toBeGreaterThan(30 * 3);
  });
});
