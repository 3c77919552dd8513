import { tf } from "../../tf.ts";
import type { Patches } from "../patches.ts";
import { defineNativeOp, present } from "./native-op.ts";
import { fuseRecurrent, type RunSteps } from "./recurrent.ts";

const inputs = ["x", "cs_prev", "h_prev", "w", "wci", "wcf", "wco", "b"];
const allInputs = ["seq_len_max", ...inputs];

/** What there is of a step: input gate, cell, forget gate, output gate, the activations of candidate and cell. */
const parts = ["i", "cs", "f", "o", "ci", "co"];

const outputs = [...parts, "h"];

const settings = { use_peephole: false };

/** The gradient of all steps as one operation, by two products for each step. */
const backward = defineNativeOp({
  name: "BlockLSTMGradV2",
  inputs: [...allInputs, ...outputs, "cs_grad", "h_grad"],
  outputs: 8,
  types: ["T"],
  int64: "seq_len_max",
});

/** All steps, with the gates in the order in which tfjs has them: input, forget, candidate, output. */
const forward = defineNativeOp({
  name: "BlockLSTMV2",
  inputs: allInputs,
  outputs: outputs.length,
  types: ["T"],
  int64: "seq_len_max",
  gradient: {
    inputsToSave: allInputs,
    outputsToSave: outputs.map(() => true),
    gradFunc: (dys, saved) => {
      const given = Object.fromEntries([...allInputs, ...outputs].map((name, at) => [name, present(saved[at])]));
      const state = present([dys].flat().at(-1));
      const made = backward({ ...given, cs_grad: tf.zerosLike(state), h_grad: state }, settings);
      return { x: () => present(made[0]), w: () => present(made[3]), b: () => present(made[7]) };
    },
  },
});

/**
 * The gradient of one step. Outputs the gradient of the cell before, and that of what the gates are activations of, in the order input, candidate, forget, output.
 * Of `x`, `h_prev`, `w` and `b` it reads the shapes only.
 */
const backwardStep = defineNativeOp({
  name: "LSTMBlockCellGrad",
  inputs: [...inputs, ...parts, "cs_grad", "h_grad"],
  outputs: 5,
  types: ["T"],
});

/** Kernel above recurrent weights, [features + units, 4 * units], and bias, [4 * units]. */
type Weights = Record<"w" | "b", tf.Tensor>;

/** {@link outputs}, [steps, samples, units] each. */
type States = tf.Tensor[];

/** The states after each step, differentiable by x and the weights: faster than {@link backward}, most of all two beside each other. */
function runSteps(x: tf.Tensor, weights: Weights): tf.Tensor {
  const given = [x, weights.w, weights.b];
  const withGradient = tf.customGrad((...args) => {
    const save = args.at(-1);
    const states = forwardSteps(x, weights);
    if (typeof save === "function") save([...given, ...states]);
    const gradFunc = (dy: tf.Tensor, [savedX, w, b, ...saved]: tf.Tensor[]) =>
      backwardSteps(dy, present(savedX), { w: present(w), b: present(b) }, saved);
    return { value: present(states.at(-1)), gradFunc };
  });
  return withGradient(...given);
}

function forwardSteps(x: tf.Tensor, weights: Weights): States {
  return forward({ seq_len_max: tf.scalar(x.shape[0] ?? 0, "int32"), x, ...first(x, weights) }, settings);
}

/** Gradients of x and the weights: back through the steps, then one product over all steps for each matrix. */
function backwardSteps(dy: tf.Tensor, x: tf.Tensor, weights: Weights, states: States): tf.Tensor[] {
  const [, samples = 0, features = 0] = x.shape;
  const units = dy.shape[2] ?? 0;
  const start = first(x, weights);
  const w = reorder(weights.w);
  const recurrent = tf.transpose(tf.slice(w, [features, 0]));
  const steps = states.map((of) => tf.unstack(of));
  const [cells, hidden] = [present(steps[parts.indexOf("cs")]), present(steps.at(-1))];
  const given = { ...start, x: tf.zeros([samples, features]) };
  const gates: tf.Tensor[] = [];
  let [cell, later]: (tf.Tensor | undefined)[] = [start.cs_prev];
  for (const [at, gradient] of [...tf.unstack(dy).entries()].toReversed()) {
    const made = backwardStep(
      {
        ...given,
        ...Object.fromEntries(parts.map((name, part) => [name, present(steps[part]?.[at])])),
        cs_prev: cells[at - 1] ?? start.cs_prev,
        cs_grad: present(cell),
        h_grad: later ? tf.add(gradient, later) : gradient,
      },
      settings,
    );
    cell = present(made[0]);
    gates.unshift(present(made[1]));
    later = tf.matMul<tf.Tensor2D>(present(gates[0]), recurrent);
  }
  const rows = tf.concat(gates, 0);
  const before = tf.concat([start.h_prev, ...hidden.slice(0, -1)], 0);
  const seen = tf.concat([tf.reshape(x, [-1, features]), tf.reshape(before, [-1, units])], 1);
  const ofX = tf.matMul(rows, tf.slice(w, 0, features), false, true);
  return [tf.reshape(ofX, x.shape), reorder(tf.matMul(seen, rows, true)), reorder(tf.sum(rows, 0))];
}

/** What the operations take besides x: the weights, the first state, and peepholes that are not used. */
function first(x: tf.Tensor, { w, b }: Weights) {
  const units = (b.shape[0] ?? 0) / 4;
  const [nothing, peephole] = [tf.zeros([x.shape[1] ?? 0, units]), tf.zeros([units])];
  return { cs_prev: nothing, h_prev: nothing, w, wci: peephole, wcf: peephole, wco: peephole, b };
}

/** Between the two orders of the gates: candidate and forget gate change places. */
function reorder(of: tf.Tensor): tf.Tensor {
  const [a, b, c, d] = tf.split(of, 4, -1).map(present);
  return tf.concat([present(a), present(c), present(b), present(d)], -1);
}

/** From here on a batch is worth two halves. */
const leastSamples = 32;

/** The steps of an LSTM wait for each other; those of two halves of the samples don't, which gives a second core something to do. */
const run: RunSteps = (x, { kernel, recurrent, bias }) => {
  const weights = { w: tf.concat([kernel, recurrent], 0), b: bias };
  const samples = x.shape[1] ?? 0;
  if (samples < leastSamples) return present(forwardSteps(x, weights).at(-1));
  const half = Math.floor(samples / 2);
  return tf.concat(
    tf.split(x, [half, samples - half], 1).map((part) => runSteps(part, weights)),
    1,
  );
};

/** Lets an LSTM (Hochreiter and Schmidhuber, 1997) be one operation, and its gradient another, or one for each step, in place of some twenty for each step. */
export function fuseLstm(patches: Patches): void {
  fuseRecurrent(patches, tf.layers.lstm({ units: 1 }), run);
}
