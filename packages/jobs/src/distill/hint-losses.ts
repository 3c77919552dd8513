import { tf } from "@whittle/engine";

/**
 * The loss of a feature hint (FitNets, arXiv 1412.6550): the mean over samples, places and channels of (f_s W - f_t)^2.
 * @param student features f_s, [batch, ..., c].
 * @param teacher features f_t, [batch, ..., d].
 * @param projection W, [c, d], which is learned.
 */
export function featureLoss(student: tf.Tensor, teacher: tf.Tensor, projection: tf.Tensor2D): tf.Scalar {
  return tf.tidy(() => {
    const [own, others] = projection.shape;
    const projected = tf.matMul(student.reshape<tf.Tensor2D>([-1, own]), projection);
    return projected
      .sub(teacher.reshape([-1, others]))
      .square()
      .mean<tf.Scalar>();
  });
}

/**
 * The loss of an attention hint (Zagoruyko and Komodakis, arXiv 1612.03928): with q(f) the sums over the channels of f^2 at each place,
 * in one row per sample,
 *
 *   mean over samples of || q(f_s) / ||q(f_s)|| - q(f_t) / ||q(f_t)|| ||^2, from 0 to 2
 *
 * @param student features f_s and teacher features f_t, [batch, ..., channels], of the same places.
 */
export function attentionLoss(student: tf.Tensor, teacher: tf.Tensor): tf.Scalar {
  return tf.tidy(() => attention(student).sub(attention(teacher)).square().sum(1).mean<tf.Scalar>());
}

/** Below it a row counts as zero, as in torch's `normalize`. */
const leastNorm = 1e-12;

/** Rows of length 1, or 0 where nothing is active: [batch, places]. */
function attention(features: tf.Tensor): tf.Tensor {
  const sums = features
    .square()
    .sum(-1)
    .reshape([features.shape[0] ?? 0, -1]);
  // Not the square root of the sum itself: its gradient is infinite where that is 0.
  const norm = sums
    .square()
    .sum(1, true)
    .add(leastNorm ** 2)
    .sqrt();
  return sums.div(norm);
}
