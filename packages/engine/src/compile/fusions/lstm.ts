import { tf } from "../../tf.ts";
import type { Patches } from "../patches.ts";
import { defineNativeOp, present } from "./native-op.ts";
import { fuseRecurrent, type RunSteps } from "./recurrent.ts";

const inputs = ["seq_len_max", "x", "cs_prev", "h_prev", "w", "wci", "wcf", "wco", "b"];

/** What there is of each step: input gate, cell, forget gate, output gate, the activations of candidate and cell, and the state. */
const outputs = ["i", "cs", "f", "o", "ci", "co", "h"];

const settings = { use_peephole: false };

const backward = defineNativeOp({
  name: "BlockLSTMGradV2",
  inputs: [...inputs, ...outputs, "cs_grad", "h_grad"],
  outputs: 8,
  types: ["T"],
  int64: "seq_len_max",
});

/** An LSTM over all steps, with the gates in the order in which tfjs has them. */
const forward = defineNativeOp({
  name: "BlockLSTMV2",
  inputs,
  outputs: outputs.length,
  types: ["T"],
  int64: "seq_len_max",
  gradient: {
    inputsToSave: inputs,
    outputsToSave: outputs.map(() => true),
    gradFunc: (dys, saved) => {
      const given = Object.fromEntries([...inputs, ...outputs].map((name, at) => [name, present(saved[at])]));
      const state = present([dys].flat().at(-1));
      const made = backward({ ...given, cs_grad: tf.zerosLike(state), h_grad: state }, settings);
      return { x: () => present(made[0]), w: () => present(made[3]), b: () => present(made[7]) };
    },
  },
});

const run: RunSteps = (x, { kernel, recurrent, bias }) => {
  const [steps = 0, samples = 0] = x.shape;
  const [units = 0] = recurrent.shape;
  const nothing = tf.zeros([samples, units]);
  const peephole = tf.zeros([units]);
  const made = forward(
    {
      seq_len_max: tf.scalar(steps, "int32"),
      x,
      cs_prev: nothing,
      h_prev: nothing,
      w: tf.concat([kernel, recurrent], 0),
      wci: peephole,
      wcf: peephole,
      wco: peephole,
      b: bias,
    },
    settings,
  );
  return present(made.at(-1));
};

/** From here on a batch is worth two halves. */
const largeBatch = 128;

/** The steps of an LSTM wait for each other; those of two halves of the samples don't, which gives a second core something to do. */
const runHalves: RunSteps = (x, weights) => {
  const samples = x.shape[1] ?? 0;
  if (samples < largeBatch) return run(x, weights);
  const half = Math.floor(samples / 2);
  const parts = tf.split(x, [half, samples - half], 1).map((part) => run(part, weights));
  return tf.concat(parts, 1);
};

/** Lets an LSTM (Hochreiter and Schmidhuber, 1997) be one operation, and its gradient another, in place of some twenty for each step. */
export function fuseLstm(patches: Patches): void {
  fuseRecurrent(patches, tf.layers.lstm({ units: 1 }), runHalves);
}
