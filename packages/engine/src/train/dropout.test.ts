import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { seedDropout, type SeededDropout } from "./dropout.ts";

beforeAll(() => initEngine());

let placed: SeededDropout | undefined;
afterEach(() => placed?.dispose());

/** Two dropout layers in a row on `width` values: the first's output is what the second sees. */
function model(width: number, rates: number[], noiseShape?: number[]): tf.LayersModel {
  const input = tf.input({ shape: [width] });
  const layers = rates.map((rate) => tf.layers.dropout({ rate, ...(noiseShape && { noiseShape }) }));
  const outputs = layers.flatMap((layer) => layer.apply(input));
  return tf.model({ inputs: input, outputs: outputs.filter((output) => output instanceof tf.SymbolicTensor) });
}

/** What ones become at a seed, for each layer. */
function masks(network: tf.LayersModel, width: number, seed: [number, number], training = true, rows = 1): number[][] {
  return tf.tidy(() => {
    placed?.seed(tf.tensor1d(seed, "int32"));
    const outputs = [network.apply(tf.ones([rows, width]), { training })].flat();
    return outputs.map((output) => (output instanceof tf.Tensor ? [...output.dataSync()] : []));
  });
}

describe("seeded dropout", () => {
  it("zeroes the rate's share and scales the rest so that the mean stays", () => {
    const network = model(10_000, [0.25]);
    placed = seedDropout(network);
    const [values = []] = masks(network, 10_000, [1, 1]);
    expect(new Set(values.map((value) => value.toFixed(4)))).toEqual(new Set(["0.0000", "1.3333"]));
    // The share of zeroes has a standard deviation of 0.0043.
    expect(values.filter((value) => value === 0).length / 10_000).toBeCloseTo(0.25, 1);
  });

  it("draws the same mask for the same seed, and another for each step and layer", () => {
    const network = model(200, [0.5, 0.5]);
    placed = seedDropout(network);
    const [first, second] = masks(network, 200, [1, 1]);
    expect(masks(network, 200, [1, 1])).toEqual([first, second]);
    expect(second).not.toEqual(first);
    expect(masks(network, 200, [1, 2])[0]).not.toEqual(first);
    expect(masks(network, 200, [2, 1])[0]).not.toEqual(first);
  });

  it("does nothing outside training", () => {
    const network = model(50, [0.5]);
    placed = seedDropout(network);
    expect(masks(network, 50, [1, 1], false)).toEqual([Array.from({ length: 50 }, () => 1)]);
  });

  it("gives the layers their own behaviour back", () => {
    const network = model(200, [0.5]);
    placed = seedDropout(network);
    placed.dispose();
    expect(masks(network, 200, [1, 1])).not.toEqual(masks(network, 200, [1, 1]));
  });

  it("shares the mask along axes of size 1 in the noise shape", () => {
    const network = model(100, [0.5], [1, 100]);
    placed = seedDropout(network);
    const [values = []] = masks(network, 100, [1, 1], true, 2);
    expect(values.slice(100)).toEqual(values.slice(0, 100));
  });

  it("refuses layers whose random numbers it can't fix, naming them", () => {
    const noisy = tf.sequential({
      layers: [tf.layers.gaussianNoise({ name: "noise", stddev: 1, inputShape: [2] })],
    });
    expect(() => seedDropout(noisy)).toThrow(expect.objectContaining({ code: "unsupported" }));
    const recurrent = tf.sequential({
      layers: [tf.layers.gru({ name: "gru", units: 2, dropout: 0.1, inputShape: [3, 2] })],
    });
    expect(() => seedDropout(recurrent)).toThrow(/"gru"/);
  });
});
