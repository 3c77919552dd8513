import { tf } from "../tf.ts";

/** What a loss may look at besides the logits. `indices` are the samples' places in the training data. */
export interface Batch {
  /** As the model is given it: augmented, where the training augments. */
  x: tf.Tensor;
  /** Class indices, int32. */
  y: tf.Tensor1D;
  indices: tf.Tensor1D;
}

/**
 * Gives the mean loss of a batch from its logits [batch, classes] and from the outputs of the tapped layers, by their names. Traced
 * once and then run as a graph: no reading of values in it.
 */
export type LossFunction = (batch: Batch, logits: tf.Tensor, features: Record<string, tf.Tensor>) => tf.Scalar;

/** The mean over the batch of -log softmax(logits)[y]. */
export function crossEntropy({ y }: Pick<Batch, "y">, logits: tf.Tensor): tf.Scalar {
  // Cast afterwards: tfjs' WASM backend writes integers into a one-hot that is asked for as float32.
  const oneHot = tf.cast(tf.oneHot(y, classCount(logits)), "float32");
  return tf.reshape(tf.losses.softmaxCrossEntropy(oneHot, logits), []);
}

/** How many samples have their largest logit at their label, as a float32 scalar. */
export function countCorrect(y: tf.Tensor, logits: tf.Tensor): tf.Scalar {
  return tf.sum(tf.cast(tf.equal(tf.argMax(logits, -1), y), "float32"));
}

/** Number of classes: the size of the logits' last axis. */
function classCount(logits: tf.Tensor): number {
  return logits.shape.at(-1) ?? 0;
}
