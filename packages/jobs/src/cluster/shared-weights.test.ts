import { initEngine, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { averaged, shareWeights, trainShared } from "./shared-weights.ts";

const kernel = (...data: number[]) => ({ shape: [2, data.length / 2], data: Float32Array.from(data) });

describe("weights that share values", () => {
  it("have the means of their clusters; biases stay", () => {
    const bias = { shape: [2], data: Float32Array.of(0.1, 0.2) };
    const { weights } = shareWeights({ kernel: kernel(1, 3, 10, 12), bias }, 2);
    expect(weights).toEqual({ kernel: kernel(2, 2, 11, 11), bias });
  });

  it("keep their zeros, as one of the clusters", () => {
    const { weights, sharings } = shareWeights({ kernel: kernel(0, 1, 3, 0, 10, 12) }, 3);
    expect(weights).toEqual({ kernel: kernel(0, 2, 2, 0, 11, 11) });
    const drifted = { kernel: kernel(0.5, 2, 4, 0.25, 9, 13) };
    expect(averaged(drifted, sharings)).toEqual({ kernel: kernel(0, 3, 3, 0, 11, 11) });
  });

  it("may all be zero", () => {
    expect(shareWeights({ kernel: kernel(0, 0) }, 2).weights).toEqual({ kernel: kernel(0, 0) });
  });
});

describe("the gradient of weights that share values", () => {
  beforeAll(() => initEngine());

  it("is the sum over each cluster, and none for zeros", () => {
    const { weights, sharings } = shareWeights({ kernel: kernel(0, 1, 3, 0, 10, 12) }, 3);
    const { reparametrize, dispose } = trainShared(sharings);
    const gradient = tf.tidy(() => {
      const w = tf.tensor2d(weights["kernel"]!.data, [2, 3]);
      const factors = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
      return tf
        .grad((value) => tf.sum(tf.mul(reparametrize("kernel", value), factors)))(w)
        .arraySync();
    });
    expect(gradient).toEqual([
      [0, 5, 5],
      [0, 11, 11],
    ]);
    dispose();
  });
});
