import { describe, expect, it } from "vitest";
import { decodeModel } from "../proto/model.ts";
import { createSession } from "../runtime/session.ts";
import { functional, noise, sequential, signature, weight, type TestCall, type TestLayer } from "../test-models.ts";
import { exportOnnx } from "./export.ts";
import type { Weight } from "./layer.ts";

const operators = (bytes: Uint8Array) => decodeModel(bytes).graph.node.map(({ opType }) => opType);

async function run(bytes: Uint8Array, shape: number[], data: number[]): Promise<number[]> {
  const session = await createSession(bytes);
  const { logits } = await session.run({ x: { shape, datatype: "FP32", data: Float32Array.from(data) } });
  await session.release();
  return Array.from(logits?.data ?? [], Number);
}

function exported(input: number[], output: number[], layers: TestLayer[], weights: Record<string, Weight>) {
  return exportOnnx({ topology: sequential(input, layers), weights, signature: signature(input, output) });
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const gates = { units: 1, activation: "tanh", recurrent_activation: "sigmoid" };

describe("exporting a sequence model", () => {
  it("reads token ids as floats, cut to whole numbers", async () => {
    const table = weight([3, 2], [0, 1, 10, 11, 20, 21]);
    const bytes = exported([2], [2, 2], [["Embedding", "words", {}]], { "words/embeddings": table });
    expect(operators(bytes)).toEqual(["Cast", "Gather"]);
    expect(await run(bytes, [1, 2], [2, 1.9])).toEqual([20, 21, 10, 11]);
  });

  it("keeps the order of a GRU's gates, and resets the state before its product", async () => {
    const [kernel, recurrent, bias] = [
      [0.1, 0.2, 0.3],
      [0.4, -0.5, 0.6],
      [0.01, 0.02, 0.03],
    ];
    const weights = {
      "gru/kernel": weight([1, 3], kernel),
      "gru/recurrent_kernel": weight([1, 3], recurrent),
      "gru/bias": weight([3], bias),
    };
    let h = 0;
    for (const x of [1, -2]) {
      const [update, reset] = [sigmoid(0.1 * x + 0.01 + 0.4 * h), sigmoid(0.2 * x + 0.02 - 0.5 * h)];
      const candidate = Math.tanh(0.3 * x + 0.03 + 0.6 * (reset * h));
      h = update * h + (1 - update) * candidate;
    }
    const bytes = exported([2, 1], [1], [["GRU", "gru", gates]], weights);
    expect((await run(bytes, [1, 2, 1], [1, -2]))[0]).toBeCloseTo(h, 6);
  });

  it("keeps the order of an LSTM's gates, and gives the state of each step where it is asked for", async () => {
    const weights = {
      "lstm/kernel": weight([1, 4], [0.1, 0.2, 0.3, 0.4]),
      "lstm/recurrent_kernel": weight([1, 4], [0.5, -0.6, 0.7, -0.8]),
      "lstm/bias": weight([4], [0.01, 1, 0.03, 0.04]),
    };
    const states: number[] = [];
    let [h, c] = [0, 0];
    for (const x of [1, -2]) {
      const [input, forget] = [sigmoid(0.1 * x + 0.5 * h + 0.01), sigmoid(0.2 * x - 0.6 * h + 1)];
      c = forget * c + input * Math.tanh(0.3 * x + 0.7 * h + 0.03);
      h = sigmoid(0.4 * x - 0.8 * h + 0.04) * Math.tanh(c);
      states.push(h);
    }
    const bytes = exported([2, 1], [2, 1], [["LSTM", "lstm", { ...gates, return_sequences: true }]], weights);
    for (const [step, state] of (await run(bytes, [1, 2, 1], [1, -2])).entries()) {
      expect(state).toBeCloseTo(states[step] ?? NaN, 6);
    }
  });

  it("pads a convolution over steps at the end where one side has more, and flattens in Keras' order", async () => {
    const convolution = { kernel_size: [2], strides: [1], padding: "same", use_bias: false };
    const layers: TestLayer[] = [
      ["Conv1D", "conv", convolution],
      ["Flatten", "flatten"],
    ];
    // Channel 0 is x[t] + 10 x[t + 1], channel 1 is -x[t].
    const bytes = exported([3, 1], [6], layers, { "conv/kernel": weight([2, 1, 2], [1, -1, 10, 0]) });
    expect(await run(bytes, [1, 3, 1], [1, 2, 3])).toEqual([21, -1, 32, -2, 3, -3]);
  });

  it("joins the pooled channels of branches", async () => {
    const calls: TestCall[] = [
      ["GlobalMaxPooling1D", "max", ["in"]],
      ["GlobalAveragePooling1D", "mean", ["in"]],
      ["Concatenate", "join", ["max", "mean"], { axis: -1 }],
    ];
    const bytes = exportOnnx({ topology: functional([2, 2], calls), weights: {}, signature: signature([2, 2], [4]) });
    expect(await run(bytes, [1, 2, 2], [1, 5, 3, -5])).toEqual([3, 5, 2, 0]);
  });

  it("normalizes the last axis", async () => {
    const weights = { "norm/gamma": weight([2], [2, 3]), "norm/beta": weight([2], [0.5, -1]) };
    const bytes = exported([1, 2], [1, 2], [["LayerNormalization", "norm", { axis: [2], epsilon: 0 }]], weights);
    expect(operators(bytes)).toEqual(["LayerNormalization"]);
    // Mean 2, standard deviation 1: -1 and 1.
    expect(await run(bytes, [1, 1, 2], [1, 3])).toEqual([-1.5, 2]);
  });

  it("attends by heads: each to the steps whose keys fit its query", async () => {
    const names = ["query", "key", "value"];
    const identity = weight([2, 2], [1, 0, 0, 1]);
    const dense = (name: string): TestCall => ["Dense", name, ["in"], { units: 2, use_bias: false }];
    const attention: TestCall = ["ScaledDotProductAttention", "attention", names, { heads: 2 }];
    const bytes = exportOnnx({
      topology: functional([2, 2], [...names.map(dense), attention]),
      weights: Object.fromEntries(names.map((name) => [`${name}/kernel`, identity])),
      signature: signature([2, 2], [2, 2]),
    });
    const steps = [
      [1, 2],
      [-1, 0.5],
    ];
    // d = 1, so that a head's scores are products of numbers.
    const expected = steps.flatMap((query) =>
      [0, 1].map((head) => {
        const shares = steps.map((key) => Math.exp((query[head] ?? 0) * (key[head] ?? 0)));
        const total = shares.reduce((sum, share) => sum + share, 0);
        return shares.reduce((sum, share, step) => sum + (share / total) * (steps[step]?.[head] ?? 0), 0);
      }),
    );
    const found = await run(bytes, [1, 2, 2], steps.flat());
    for (const [at, value] of found.entries()) expect(value).toBeCloseTo(expected[at] ?? NaN, 6);
    expect(found).toHaveLength(4);
  });

  it.each([
    ["GRU", { ...gates, recurrent_activation: "hard_sigmoid" }, "recurrent_activation is hard_sigmoid, not sigmoid"],
    ["LSTM", { ...gates, go_backwards: true }, "go_backwards is on"],
    ["Embedding", { mask_zero: true }, "mask_zero is on"],
    ["LayerNormalization", { axis: [1] }, "axis 1 is not the last"],
    ["Concatenate", { axis: 1 }, "axis 1 is not the last"],
  ] as const)("refuses a %s with %j", (className, config, reason) => {
    const weights = { "layer/kernel": weight([2, 3], noise(6)) };
    const make = () => exported([3, 2], [1], [[className, "layer", config]], weights);
    const refusal = { code: "unsupported", message: expect.stringContaining(reason) };
    expect(make).toThrow(expect.objectContaining(refusal));
  });
});
