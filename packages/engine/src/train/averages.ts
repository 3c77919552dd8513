import type { Ema } from "@whittle/contracts";
import type { NamedVariable } from "../model-io/weights.ts";
import { tf } from "../tf.ts";

/** Moving averages of the trained weights, kept like an optimizer's slots. */
export interface Averages {
  /** Named `<weight>/average`. */
  slots: { name: string; variable: tf.Variable; of: NamedVariable }[];
  /** The share of the average that a step (from 0) keeps. */
  kept(step: number): number;
  /** Follows the weights after they have changed. Inside a tidy. */
  update(kept: tf.Scalar): void;
  dispose(): void;
}

/**
 * The exponential moving average of Keras' optimizers with `use_ema`: a <- d a + (1 - d) w after every step, and after the first step
 * the weights themselves.
 */
export function createAverages({ decay }: Ema, weights: NamedVariable[]): Averages {
  const slots = weights.map((weight) => ({
    name: `${weight.name}/average`,
    variable: tf.tidy(() => tf.variable(tf.zerosLike(weight.variable), false)),
    of: weight,
  }));
  return {
    slots,
    kept: (step) => (step === 0 ? 0 : decay),
    update(kept) {
      for (const { variable, of } of slots) {
        variable.assign(tf.add(tf.mul(variable, kept), tf.mul(of.variable, tf.sub(1, kept))));
      }
    },
    dispose: () => slots.forEach(({ variable }) => variable.dispose()),
  };
}
