import { tf } from "../../tf.ts";
import type { Patches } from "../patches.ts";
import { defineNativeOp, present } from "./native-op.ts";
import { fuseRecurrent, type RunSteps } from "./recurrent.ts";

const inputs = ["x", "h_prev", "w_ru", "w_c", "b_ru", "b_c"];

/** One step: r, u = sigmoid([x, h] w_ru + b_ru); c = tanh([x, r h] w_c + b_c); h <- u h + (1 - u) c. Outputs r, u, c, h. */
const forward = defineNativeOp({ name: "GRUBlockCell", inputs, outputs: 4, types: ["T"] });

/** Outputs the gradients of x, of the h before, of what c is the tanh of, and of what r and u are the sigmoids of. */
const backward = defineNativeOp({
  name: "GRUBlockCellGrad",
  inputs: [...inputs, "r", "u", "c", "d_h"],
  outputs: 4,
  types: ["T"],
});

/** As TensorFlow's operation has them: reset gate before update gate, then the candidate. */
type Weights = Record<"w_ru" | "w_c" | "b_ru" | "b_c", tf.Tensor>;

/** What a step gives, [samples, units] each. */
type Step = Record<"r" | "u" | "c" | "h", tf.Tensor>;

/** The states after each step, differentiable by x and the weights. */
function runSteps(x: tf.Tensor, weights: Weights): tf.Tensor {
  const given = [x, weights.w_ru, weights.w_c, weights.b_ru, weights.b_c];
  const withGradient = tf.customGrad((...args) => {
    const save = args.at(-1);
    const steps = forwardSteps(x, weights);
    if (typeof save === "function") save([...given, ...steps.flatMap(({ r, u, c, h }) => [r, u, c, h])]);
    return { value: tf.stack(steps.map(({ h }) => h)), gradFunc: (dy, saved) => backwardSteps(dy, restore(saved)) };
  });
  return withGradient(...given);
}

interface Run {
  x: tf.Tensor;
  weights: Weights;
  steps: Step[];
}

function restore(saved: tf.Tensor[]): Run {
  const [x, w_ru, w_c, b_ru, b_c, ...states] = saved.map(present);
  const at = (index: number) => present(states[index]);
  const steps = Array.from({ length: states.length / 4 }, (_, step) => {
    return { r: at(4 * step), u: at(4 * step + 1), c: at(4 * step + 2), h: at(4 * step + 3) };
  });
  const weights = { w_ru: present(w_ru), w_c: present(w_c), b_ru: present(b_ru), b_c: present(b_c) };
  return { x: present(x), weights, steps };
}

function forwardSteps(x: tf.Tensor, weights: Weights): Step[] {
  let h = firstState(x, weights);
  return tf.unstack(x).map((at) => {
    const [r, u, c, next] = forward({ x: at, h_prev: h, ...weights }).map(present);
    h = present(next);
    return { r: present(r), u: present(u), c: present(c), h };
  });
}

/** Gradients of x and the weights: back through the steps, then one product over all steps for each matrix. */
function backwardSteps(dy: tf.Tensor, { x, weights, steps }: Run): tf.Tensor[] {
  const [inputsOf, gradients] = [tf.unstack(x), tf.unstack(dy)];
  const before = [firstState(x, weights), ...steps.map(({ h }) => h)].slice(0, -1);
  const made: { x: tf.Tensor; c: tf.Tensor; ru: tf.Tensor }[] = [];
  let later: tf.Tensor | undefined;
  for (const [at, { r, u, c }] of [...steps.entries()].toReversed()) {
    const gradient = present(gradients[at]);
    const given = { x: present(inputsOf[at]), h_prev: present(before[at]), ...weights, r, u, c };
    const outputs = backward({ ...given, d_h: later ? tf.add(gradient, later) : gradient });
    later = present(outputs[1]);
    made.unshift({ x: present(outputs[0]), c: present(outputs[2]), ru: present(outputs[3]) });
  }
  const reset = steps.map(({ r }, at) => tf.mul(r, present(before[at])));
  const [ru, c] = [rows(made.map((step) => step.ru)), rows(made.map((step) => step.c))];
  const product = (states: tf.Tensor[], by: tf.Tensor) =>
    tf.matMul(rows([tf.concat([x, tf.stack(states)], 2)]), by, true);
  return [tf.stack(made.map((step) => step.x)), product(before, ru), product(reset, c), tf.sum(ru, 0), tf.sum(c, 0)];
}

function firstState(x: tf.Tensor, { w_c }: Weights): tf.Tensor {
  return tf.zeros([x.shape[1] ?? 0, w_c.shape[1] ?? 0]);
}

/** All rows of equally wide tensors, one under the other. */
function rows(parts: tf.Tensor[]): tf.Tensor {
  const stacked = tf.stack(parts);
  return tf.reshape(stacked, [-1, stacked.shape.at(-1) ?? 0]);
}

const run: RunSteps = (x, { kernel, recurrent, bias }) => {
  const units = recurrent.shape[0] ?? 0;
  const gates = (of: tf.Tensor): tf.Tensor[] => tf.split(of, [units, units, units], -1);
  const [u, r, c] = gates(tf.concat([kernel, recurrent], 0)).map(present);
  const [biasU, biasR, biasC] = gates(bias).map(present);
  return runSteps(x, {
    w_ru: tf.concat([present(r), present(u)], 1),
    w_c: present(c),
    b_ru: tf.concat([present(biasR), present(biasU)]),
    b_c: present(biasC),
  });
};

/** Lets each step of a GRU (Cho et al., 1406.1078) be one operation, and its gradient another, in place of some twenty each. */
export function fuseGru(patches: Patches): void {
  fuseRecurrent(patches, tf.layers.gru({ units: 1 }), run);
}
