import type { ModelConfig, Proportion } from "@whittle/contracts";
import { classify, createSession, proportion } from "@whittle/onnx/runtime";
import { toFloat, type Dataset, type Split } from "@whittle/zoo";
import { stopIfAborted, type JobContext } from "./context.ts";

const BATCH = 256;

/** How a model answered the samples of a split. */
export interface Evaluation {
  accuracy: Proportion;
  /** Mean cross entropy. */
  loss: number;
  /** The class with the largest logit, for each sample. */
  predictions: Int32Array;
}

/** Runs an ONNX model over a split in ONNX Runtime, as it is served. */
export async function evaluateOnnx(
  { signal }: JobContext,
  model: Uint8Array,
  split: Split,
  { preprocessing }: ModelConfig,
  { inputShape }: Dataset,
): Promise<Evaluation> {
  const session = await createSession(model);
  try {
    stopIfAborted(signal);
    const x = toFloat(split, preprocessing);
    const { logits, predictions } = await classify(session, x, inputShape, BATCH);
    const correct = predictions.reduce((sum, prediction, i) => sum + Number(prediction === split.y[i]), 0);
    return { accuracy: proportion(correct, split.count), loss: crossEntropy(logits, split.y), predictions };
  } finally {
    await session.release();
  }
}

/**
 * The mean of -log softmax(logits)[label], in double precision.
 * @param logits row-major [labels.length, classes].
 */
export function crossEntropy(logits: Float32Array, labels: Int32Array): number {
  const classes = logits.length / labels.length;
  let sum = 0;
  for (const [i, label] of labels.entries()) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const top = row.reduce((a, b) => Math.max(a, b));
    const logSum = Math.log(row.reduce((total, logit) => total + Math.exp(logit - top), 0));
    sum += top + logSum - (row[label] ?? Number.NaN);
  }
  return sum / labels.length;
}
