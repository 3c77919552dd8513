import { tf } from "../tf.ts";
import { attr, DataType } from "./graph-writer.ts";
import type { AttrValue } from "./messages.ts";
import type { Call } from "./program.ts";
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

/** Writes a node of the graph and gives its name. */
type Put = (name: string, op: string, inputs: string[], attrs: Record<string, AttrValue>) => string;

/**
 * The update by ResourceApplyAdam, which works in place on variables of TensorFlow's: they are given the values at each run and read
 * after it, so that nothing outlives the run.
 * @returns the name of a node whose outputs are weight, mean and square.
 */
export function emitAdam(name: string, call: Call, inputs: string[], put: Put): string {
  const dtype = attr.type(DataType.float);
  const [gradient = "", rate = ""] = inputs.slice(3);
  const shape = attr.shape(call.outputs[0]?.shape ?? []);
  const slots = inputs.slice(0, 3).map((value, at) => {
    const handle = put(`${name}_var${at}`, "VarHandleOp", [], {
      dtype,
      shape,
      shared_name: attr.string(`${name}_${at}`),
    });
    return {
      handle: `${handle}:0`,
      assign: put(`${name}_set${at}`, "AssignVariableOp", [`${handle}:0`, value], { dtype }),
    };
  });
  const scalar = (key: string, value: number) =>
    put(`${name}_${key}`, "Const", [], {
      dtype,
      value: attr.tensor({ shape: [], dtype: DataType.float }, Float32Array.of(value)),
    });
  const settings = call.attrs.map(({ name: key, value }) => `${scalar(key, Number(value))}:0`);
  const zero = `${scalar("zero", 0)}:0`;
  const after = (nodes: string[]) => nodes.map((node) => `^${node}`);
  const apply = put(
    `${name}_apply`,
    "ResourceApplyAdam",
    [
      ...slots.map(({ handle }) => handle),
      zero,
      zero,
      rate,
      ...settings,
      gradient,
      ...after(slots.map(({ assign }) => assign)),
    ],
    { T: dtype },
  );
  const read = slots.map(
    ({ handle }, at) => `${put(`${name}_read${at}`, "ReadVariableOp", [handle, `^${apply}`], { dtype })}:0`,
  );
  return put(name, "IdentityN", read, { T: attr.types(read.map(() => DataType.float)) });
}
