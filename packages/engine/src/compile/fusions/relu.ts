import { tf } from "../../tf.ts";
import type { Patches } from "../patches.ts";
import { defineNativeOp, present } from "./native-op.ts";

const backward = defineNativeOp({
  name: "ReluGrad",
  inputs: ["dy", "x"],
  outputs: 1,
  types: ["T"],
  gradient: {
    inputsToSave: ["x"],
    gradFunc: (ddy, [x]) => ({ dy: () => reluGradient(ddy, x), x: () => tf.zerosLike(present(x)) }),
  },
});

/** dy where x > 0, else 0. */
function reluGradient(dy: tf.Tensor | tf.Tensor[], x: tf.Tensor | undefined): tf.Tensor {
  return present(backward({ dy: present([dy].flat()[0]), x: present(x) })[0]);
}

/** Lets the gradient of ReLU be one operation, in place of the six that tfjs composes it of. */
export function fuseRelu(patches: Patches): void {
  patches.set(tf.getGradient("Relu"), "gradFunc", (dy, [x]) => ({ x: () => reluGradient(dy, x) }));
}
