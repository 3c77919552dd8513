import { tf, type LossFunction } from "@whittle/engine";

export interface DistillationOptions {
  /** T, at least 1. */
  temperature: number;
  /** Weight of the true labels, 0 to 1. */
  alpha: number;
}

/**
 * The distillation loss of Hinton et al. (arXiv 1503.02531), the mean over a batch of
 *
 *   alpha CE(y, softmax(s)) + (1 - alpha) T^2 KL(softmax(t / T) || softmax(s / T))
 *
 * T^2 keeps the two parts' gradients of one size, whatever T is.
 * @param student logits s, [batch, classes]; the loss is differentiable in them.
 * @param teacher logits t, [batch, classes].
 * @param labels class indices, int32 [batch].
 */
export function distillationLoss(
  student: tf.Tensor,
  teacher: tf.Tensor,
  labels: tf.Tensor,
  { temperature, alpha }: DistillationOptions,
): tf.Scalar {
  return tf.tidy(() => {
    const hard = tf
      .oneHot(labels, student.shape.at(-1) ?? 0)
      .mul(tf.logSoftmax(student))
      .sum(1)
      .neg();
    const teacherLog = tf.logSoftmax(teacher.div(temperature));
    const studentLog = tf.logSoftmax(student.div(temperature));
    const soft = teacherLog.exp().mul(teacherLog.sub(studentLog)).sum(1);
    return hard
      .mul(alpha)
      .add(soft.mul((1 - alpha) * temperature ** 2))
      .mean<tf.Scalar>();
  });
}

/** A teacher's logits, [n, classes], and how much they count beside those of other teachers. */
export interface Answers {
  logits: tf.Tensor;
  weight: number;
}

/**
 * Logits of which the softened probabilities are the weighted average of the teachers', as the loss of several teachers takes them:
 *
 *   softmax(u / T) = sum_k w_k softmax(t_k / T) / sum_k w_k,  so  u = T log sum_k exp(log w_k + log softmax(t_k / T))
 */
export function averagedLogits(answers: Answers[], temperature: number): tf.Tensor {
  return tf.tidy(() => {
    const whole = answers.reduce((sum, { weight }) => sum + weight, 0);
    const logs = answers.map(({ logits, weight }) =>
      tf.logSoftmax(logits.div(temperature)).add(Math.log(weight / whole)),
    );
    return tf.logSumExp(tf.stack(logs), 0).mul(temperature);
  });
}

/** How much the labels count beside the answers of the model before it was pruned or quantized, and how these are softened. */
export const recoveryOptions: DistillationOptions = { temperature: 4, alpha: 0.3 };

/** The {@link distillationLoss} of a training. @param answers the teacher's logits for every training sample, [n, classes]. */
export function distillationFrom(answers: tf.Tensor, options: DistillationOptions): LossFunction {
  return ({ y, indices }, logits) => distillationLoss(logits, tf.gather(answers, indices), y, options);
}
