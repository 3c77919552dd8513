import { tf } from "@whittle/engine";

/** The integers that values become, without the zero point: low <= 0 <= high. */
export interface Levels {
  low: number;
  high: number;
}

/**
 * What quantized values stand for, in float32: s clip(round(v / s), low, high), halves rounded to even as QuantizeLinear does.
 * @param step s: one for all of v, or one for each place of v's last axes
 * @param count how many values have a step in common; of one sample where v is a batch
 */
export type FakeQuantizer = (values: tf.Tensor, step: tf.Tensor, levels: Levels, count: number) => tf.Tensor;

/**
 * The straight-through estimator (Bengio et al., arXiv 1308.3432; Jacob et al., arXiv 1712.05877): the gradient by v is 1 where
 * round(v / s) is one of the levels, 0 elsewhere. There is none by s.
 */
export const straightThrough: FakeQuantizer = (values, step, { low, high }) =>
  withGradient(values, step, { low, high }, (dy, v, s) => {
    const rounded = tf.round(tf.div(v, s));
    const inside = tf.logicalAnd(tf.greaterEqual(rounded, low), tf.lessEqual(rounded, high));
    return [tf.mul(dy, tf.cast(inside, "float32")), tf.zerosLike(s)];
  });

/**
 * Learned step size quantization (Esser et al., arXiv 1902.08153). By v the gradient is 1 where low <= v / s <= high, 0 elsewhere; by s it
 * is round(v / s) - v / s there, low or high elsewhere, times 1 / sqrt(N Q) with N = count and Q the larger of -low and high.
 */
export const learnedStep: FakeQuantizer = (values, step, { low, high }, count) =>
  withGradient(values, step, { low, high }, (dy, v, s) => {
    const x = tf.div(v, s);
    const inside = tf.logicalAnd(tf.greaterEqual(x, low), tf.lessEqual(x, high));
    const slope = tf.where(inside, tf.sub(tf.round(x), x), tf.clipByValue(x, low, high));
    const sharing = Array.from({ length: v.rank - s.rank }, (_none, axis) => axis);
    const byStep = tf.sum(tf.mul(dy, slope), sharing);
    const scale = 1 / Math.sqrt(count * Math.max(-low, high));
    return [tf.mul(dy, tf.cast(inside, "float32")), tf.mul(byStep, scale)];
  });

type Gradient = (dy: tf.Tensor, values: tf.Tensor, step: tf.Tensor) => tf.Tensor[];

function withGradient(values: tf.Tensor, step: tf.Tensor, { low, high }: Levels, gradient: Gradient): tf.Tensor {
  const quantize = tf.customGrad((v, s, save) => {
    if (!(v instanceof tf.Tensor && s instanceof tf.Tensor && typeof save === "function")) {
      throw new TypeError("values and a step were expected");
    }
    save([v, s]);
    const integers = tf.clipByValue(tf.round(tf.div(v, s)), low, high);
    const gradFunc = (dy: tf.Tensor, [savedValues = v, savedStep = s]: tf.Tensor[]) =>
      gradient(dy, savedValues, savedStep);
    return { value: tf.mul(integers, s), gradFunc };
  });
  return quantize(values, step);
}
