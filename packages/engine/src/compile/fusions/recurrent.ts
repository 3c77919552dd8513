import { tf } from "../../tf.ts";
import type { Patches } from "../patches.ts";
import { present } from "./native-op.ts";

/** As tfjs has them, the gates side by side: kernel [features, gates * units], recurrent [units, gates * units], bias [gates * units]. */
export interface RecurrentWeights {
  kernel: tf.Tensor;
  recurrent: tf.Tensor;
  bias: tf.Tensor;
}

/** The states after each step, [steps, samples, units], of inputs [steps, samples, features]; the first state is 0. */
export type RunSteps = (x: tf.Tensor, weights: RecurrentWeights) => tf.Tensor;

type Call = (
  this: tf.layers.Layer,
  inputs: tf.Tensor | tf.Tensor[],
  kwargs: Record<string, unknown> | null,
) => tf.Tensor | tf.Tensor[];

/** Lets layers of the class of `example` compute by `run` where they are of the usual kind. */
export function fuseRecurrent(patches: Patches, example: tf.layers.Layer, run: RunSteps): void {
  const prototype: { call: Call } = Object.getPrototypeOf(example);
  const { call } = prototype;
  patches.set(prototype, "call", function recurrent(inputs, kwargs) {
    const fits = inputs instanceof tf.Tensor && isUsual(this) && !kwargs?.["mask"] && !kwargs?.["initialState"];
    return fits ? apply(this, inputs, run) : Reflect.apply(call, this, [inputs, kwargs]);
  });
}

/** Whether the layer has the activations that TensorFlow's operations have, and keeps nothing between calls. */
function isUsual(layer: tf.layers.Layer): boolean {
  const config = layer.getConfig();
  const plain = config["activation"] === "tanh" && config["recurrentActivation"] === "sigmoid" && config["useBias"];
  const other = ["stateful", "returnState", "dropout", "recurrentDropout"].some((name) => Boolean(config[name]));
  return Boolean(plain) && !other;
}

function apply(layer: tf.layers.Layer, inputs: tf.Tensor, run: RunSteps): tf.Tensor {
  const { goBackwards, returnSequences } = layer.getConfig();
  const [kernel, recurrent, bias] = layer.weights.map((weight) => weight.read());
  const x = tf.transpose(goBackwards ? tf.reverse(inputs, 1) : inputs, [1, 0, 2]);
  const states = run(x, { kernel: present(kernel), recurrent: present(recurrent), bias: present(bias) });
  if (returnSequences) return tf.transpose(states, [1, 0, 2]);
  const [steps = 0, samples = 0, units = 0] = states.shape;
  return tf.reshape(tf.slice(states, [steps - 1, 0, 0], [1, samples, units]), [samples, units]);
}
