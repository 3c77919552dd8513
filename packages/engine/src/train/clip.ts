import type { Clip } from "@whittle/contracts";
import { tf } from "../tf.ts";

export type Gradients = Record<string, tf.Tensor>;

/**
 * Limits gradients: first every component to [-value, value], then all together to the joint L2 norm `norm`,
 * g norm / max(norm, |g|) (Pascanu et al., 1211.5063).
 */
export function clipGradients(gradients: Gradients, clip: Clip): Gradients {
  const { value, norm } = clip;
  const cut = value === undefined ? gradients : mapValues(gradients, (g) => tf.clipByValue(g, -value, value));
  if (norm === undefined) return cut;
  const squares = Object.values(cut).map((g) => tf.sum(tf.square(g)));
  const scale = tf.div(norm, tf.maximum(norm, tf.sqrt(tf.addN(squares))));
  return mapValues(cut, (g) => tf.mul(g, scale));
}

function mapValues(gradients: Gradients, change: (gradient: tf.Tensor) => tf.Tensor): Gradients {
  return Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, change(gradient)]));
}
