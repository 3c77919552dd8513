import type { Optimizer } from "@whittle/contracts";
import type { NamedVariable } from "../model-io/weights.ts";
import { adamUpdate } from "../compile/adam.ts";
import { tf } from "../tf.ts";
import type { Gradients } from "./clip.ts";

/**
 * An update rule. What changes from step to step enters `update` as scalar tensors, never as JavaScript numbers, so that a step that
 * is compiled once stays right; everything that it remembers is in `slots`.
 */
export interface UpdateRule {
  /** What it keeps per weight, named `<weight>/<slot>`: saved and restored with a checkpoint. */
  slots: Pick<NamedVariable, "name" | "variable">[];
  /** The numbers that `update` takes at a step (from 0) at a learning rate. */
  live(step: number, learningRate: number): Live<number>;
  /** Changes the weights; `gradients` are by variable name, and a weight without one stays. Inside a tidy. */
  update(gradients: Gradients, live: Live<tf.Scalar>): void;
  dispose(): void;
}

type Trainable = Pick<NamedVariable, "name" | "variable">;

/** `rate` scales the change of the weights, `keep` is what weight decay leaves of them. */
export interface Live<T> {
  rate: T;
  keep: T;
}

/** The update rules of Keras: see {@link sgd}, {@link momentum}, {@link adam}. */
export function createUpdateRule(optimizer: Optimizer, weights: Trainable[]): UpdateRule {
  if (optimizer.type === "sgd") return sgd(weights);
  if (optimizer.type === "momentum") return momentum(weights, optimizer.momentum, optimizer.nesterov);
  return adam(weights, optimizer, optimizer.type === "adamw" ? optimizer.weightDecay : 0);
}

/** w <- w - r g. */
function sgd(weights: Trainable[]): UpdateRule {
  return {
    slots: [],
    live: (_step, rate) => ({ rate, keep: 1 }),
    update(gradients, { rate }) {
      eachGradient(weights, gradients, (weight, g) => weight.assign(tf.sub(weight, tf.mul(g, rate))));
    },
    dispose: () => undefined,
  };
}

/** v <- m v - r g; w <- w + v, or with Nesterov's look-ahead w <- w + m v - r g. */
function momentum(weights: Trainable[], m: number, nesterov: boolean): UpdateRule {
  const velocity = zeroSlots(weights, "velocity");
  return {
    slots: velocity,
    live: (_step, rate) => ({ rate, keep: 1 }),
    update(gradients, { rate }) {
      eachGradient(weights, gradients, (weight, g, index) => {
        const v = slot(velocity, index);
        const push = tf.mul(g, rate);
        v.assign(tf.sub(tf.mul(v, m), push));
        weight.assign(tf.add(weight, nesterov ? tf.sub(tf.mul(v, m), push) : v));
      });
    },
    dispose: () => disposeSlots(velocity),
  };
}

/**
 * Adam (1412.6980), see {@link adamUpdate}; the rate of a step t (from 1) is r sqrt(1 - b2^t) / (1 - b1^t).
 * With a decay d it is AdamW (1711.05101): first w <- w - r d w.
 */
function adam(
  weights: Trainable[],
  { beta1, beta2, epsilon }: { beta1: number; beta2: number; epsilon: number },
  decay: number,
): UpdateRule {
  const means = zeroSlots(weights, "mean");
  const squares = zeroSlots(weights, "square");
  return {
    slots: [...means, ...squares],
    live: (step, rate) => ({
      rate: (rate * Math.sqrt(1 - beta2 ** (step + 1))) / (1 - beta1 ** (step + 1)),
      keep: 1 - rate * decay,
    }),
    update(gradients, { rate, keep }) {
      eachGradient(weights, gradients, (weight, g, index) => {
        const m = slot(means, index);
        const v = slot(squares, index);
        const decayed = decay > 0 ? tf.mul(weight, keep) : weight;
        const next = adamUpdate({ weight: decayed, mean: m, square: v, gradient: g, rate }, { beta1, beta2, epsilon });
        m.assign(next.mean);
        v.assign(next.square);
        weight.assign(next.weight);
      });
    },
    dispose: () => disposeSlots([...means, ...squares]),
  };
}

function eachGradient(
  weights: Trainable[],
  gradients: Gradients,
  apply: (weight: tf.Variable, gradient: tf.Tensor, index: number) => void,
): void {
  for (const [index, { variable }] of weights.entries()) {
    const gradient = gradients[variable.name];
    if (gradient) apply(variable, gradient, index);
  }
}

function zeroSlots(weights: Trainable[], slotName: string): Trainable[] {
  return weights.map(({ name, variable }) => ({
    name: `${name}/${slotName}`,
    variable: tf.tidy(() => tf.variable(tf.zerosLike(variable), false)),
  }));
}

function slot(slots: Trainable[], index: number): tf.Variable {
  const found = slots[index];
  if (!found) throw new RangeError(`no slot ${index}`);
  return found.variable;
}

function disposeSlots(slots: Trainable[]): void {
  for (const { variable } of slots) variable.dispose();
}
