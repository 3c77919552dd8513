import type { z } from "zod";
import { tf } from "../../tf.ts";

/** Gives a kernel's input of that name. */
export type Inputs = (name: string) => tf.Tensor;

/**
 * Adds a kernel that tfjs' WebAssembly backend lacks, made of operations that it has; these are not recorded for gradients.
 * @param attrs what of the kernel's attributes `compute` uses.
 */
export function composeKernel<A>(
  kernelName: string,
  attrs: z.ZodType<A>,
  compute: (input: Inputs, attrs: A) => tf.Tensor,
): void {
  tf.registerKernel({
    kernelName,
    backendName: "wasm",
    kernelFunc: (params) => {
      const input: Inputs = (name) => {
        const found = params.inputs[name];
        if (found instanceof tf.Tensor) return found;
        throw new TypeError(`${kernelName} needs the tensor ${name}`);
      };
      return tf.tidy(() => compute(input, attrs.parse(params.attrs)));
    },
  });
}
