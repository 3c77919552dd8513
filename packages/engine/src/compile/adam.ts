import { tf } from "../tf.ts";
import { attr, DataType, type Put } from "./graph-writer.ts";
import type { Call } from "./program.ts";
import { controls, ready } from "./state-nodes.ts";
import { activeRecorder } from "./trace.ts";

/** The name of the update among recorded operations; TensorFlow has no op of this name. */
export const adamOp = "AdamUpdate";

/** A weight and what Adam keeps of its gradients, all of one shape. */
interface AdamState {
  weight: tf.Tensor;
  mean: tf.Tensor;
  square: tf.Tensor;
}

interface AdamSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
}

/**
 * One step of Adam (1412.6980) in the form of its section 2: m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2;
 * w <- w - rate m / (sqrt(v) + epsilon), the rate with the correction of the first steps in it. In a compiled function it is one
 * operation of TensorFlow's, which can differ in the last bits.
 */
export function adamUpdate(
  { weight, mean, square, gradient, rate }: AdamState & { gradient: tf.Tensor; rate: tf.Scalar },
  { beta1, beta2, epsilon }: AdamSettings,
): AdamState {
  const m = tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1));
  const v = tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const w = tf.sub(weight, tf.mul(tf.div(m, tf.add(tf.sqrt(v), epsilon)), rate));
  const attrs = Object.entries({ beta1, beta2, epsilon }).map(([name, value]) => ({ name, type: 0, value }));
  activeRecorder()?.fuse(adamOp, attrs, [weight, mean, square, gradient, rate], [w, m, v]);
  return { weight: w, mean: m, square: v };
}

/** What {@link emitAdam} connects the operation with: names of nodes, and `name:output` of values. */
interface AdamInputs {
  /** Variables of weight, mean and square; `value` is given to one that does not have it yet. */
  slots: { variable: string; value?: string }[];
  gradient: string;
  rate: string;
}

/**
 * The update by ResourceApplyAdam, which works in place. `<name>_apply` is the operation, and `<name>_read0` to 2 give what it made of
 * weight, mean and square.
 * @returns the name.
 */
export function emitAdam(name: string, call: Call, { slots, gradient, rate }: AdamInputs, put: Put): string {
  const dtype = attr.type(DataType.float);
  const assigned = slots.flatMap(({ variable, value }, at) =>
    value === undefined
      ? []
      : [put(`${name}_set${at}`, "AssignVariableOp", [`${variable}:0`, value, `^${ready}`], { dtype })],
  );
  const scalar = (key: string, value: number) =>
    `${put(`${name}_${key}`, "Const", [], {
      dtype,
      value: attr.tensor({ shape: [], dtype: DataType.float }, Float32Array.of(value)),
    })}:0`;
  const settings = call.attrs.map(({ name: key, value }) => scalar(key, Number(value)));
  const zero = scalar("zero", 0);
  const handles = slots.map(({ variable }) => `${variable}:0`);
  const inputs = [...handles, zero, zero, rate, ...settings, gradient, ...controls([ready, ...assigned])];
  const apply = put(`${name}_apply`, "ResourceApplyAdam", inputs, { T: dtype });
  for (const [at, handle] of handles.entries()) {
    put(`${name}_read${at}`, "ReadVariableOp", [handle, `^${apply}`], { dtype });
  }
  return name;
}
