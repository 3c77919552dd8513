import { beforeAll, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { evaluate, predict } from "./evaluate.ts";
import { fit } from "./fit.ts";
import type { Inputs, RawSamples } from "./raw.ts";
import { tinyImageModel, tinyImages } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

const fast = { epochs: 2, batchSize: 16, seed: 7 } satisfies Partial<FitOptions>;

/** The same samples as one tensor of what the model sees: value * scale + offset in float32. */
function resident({ values, shape, scale, offset }: RawSamples): tf.Tensor {
  const floats = Float32Array.from(values, (value) => Math.fround(value * Math.fround(scale)) + Math.fround(offset));
  return tf.tensor(floats, [values.length / shape.reduce((a, b) => a * b), ...shape]);
}

async function train(x: Inputs, options: Partial<FitOptions> = {}) {
  const model = tinyImageModel(0.2);
  const { y } = tinyImages(50);
  const { epochs } = await fit(model, { x, y, ...fast, validation: { x, y }, ...options });
  return { weights: modelWeights(model), losses: epochs.map(({ loss, valLoss }) => [loss, valLoss]) };
}

const asFloats = (x: RawSamples): RawSamples => ({ ...x, values: Float32Array.from(x.values) });

describe("samples that stay in JavaScript as they are stored", () => {
  it.each<[string, Partial<FitOptions>]>([
    ["as one graph", {}],
    ["op by op", { mode: "eager" }],
    ["in parts of a step", { batchSize: 8, accumulate: 2 }],
    ["augmented", { augment: { flip: "both", shift: 2, noise: 0.2 } }],
  ])("train bit for bit as one tensor of all does, %s", async (_how, options) => {
    const { x } = tinyImages(50);
    const expected = await train(resident(x), options);
    expect(await train(x, options)).toEqual(expected);
    expect(await train(asFloats(x), options)).toEqual(expected);
  });

  it("take no more of TensorFlow's memory when there are more of them, but for the labels", async () => {
    const used = async (count: number) => {
      let bytes = 0;
      const before = tf.memory().numBytes;
      const onBatch = () => (bytes = tf.memory().numBytes - before);
      const { x, y } = tinyImages(count);
      await fit(tinyImageModel(), { x, y, ...fast, epochs: 1, validation: { x, y }, onBatch });
      return bytes;
    };
    const [few, many] = [await used(64), await used(640)];
    // Two times 576 labels of four bytes; what steps return, two scalars, waits to be read.
    expect(many - few).toBeLessThan(2 * 576 * 4 + 36 * 8 + 1);
  });

  it("are evaluated and predicted like a tensor of them", async () => {
    const [model, { x, y }] = [tinyImageModel(), tinyImages(50)];
    const labels = tf.tensor1d(y, "int32");
    expect(await evaluate(model, x, labels, { batchSize: 16 })).toEqual(
      await evaluate(model, resident(x), labels, { batchSize: 16 }),
    );
    expect(predict(model, x, 16).dataSync()).toEqual(predict(model, resident(x), 16).dataSync());
  });

  it("are refused when they end in the middle of one", async () => {
    const { x, y } = tinyImages(8);
    const cut = { ...x, values: x.values.subarray(1) };
    await expect(fit(tinyImageModel(), { x: cut, y, ...fast })).rejects.toMatchObject({ issues: [{ path: "x" }] });
  });
});
