import type { Metrics, ModelConfig } from "@whittle/contracts";
import { classify, createSession, proportion } from "@whittle/onnx/runtime";
import { toFloat, type Dataset, type Split } from "@whittle/zoo";
import { stopIfAborted, type JobContext } from "../shared/context.ts";
import { crossEntropy } from "../shared/evaluation.ts";

const BATCH = 256;

/** How a quantized model answers samples, beside the float model that it was made from. */
export interface Verdict {
  /** The share of samples that are classified right. */
  accuracy: number;
  /** Mean cross entropy. */
  loss: number;
  /** Mean KL(float || quantized) of the class probabilities, in nats. */
  divergence: number;
  /** The share of samples for which both predict the same class. */
  agreement: number;
  /** Of one logit, and the mean over all. */
  maxDifference: number;
  meanDifference: number;
}

/** Judges models on the same samples. */
export interface Judge {
  /** Of the float model itself. */
  float: Verdict;
  samples: number;
  judge(model: Uint8Array): Promise<Verdict>;
}

/** log softmax of each row, in double precision. */
function logProbabilities(logits: Float32Array, classes: number): Float64Array {
  const result = new Float64Array(logits.length);
  for (let from = 0; from < logits.length; from += classes) {
    const row = logits.subarray(from, from + classes);
    const top = row.reduce((a, b) => Math.max(a, b));
    const logSum = top + Math.log(row.reduce((total, logit) => total + Math.exp(logit - top), 0));
    for (const [at, logit] of row.entries()) result[from + at] = logit - logSum;
  }
  return result;
}

/** Mean over rows of sum p (log p - log q). */
export function meanDivergence(float: Float32Array, quantized: Float32Array, classes: number): number {
  const q = logProbabilities(quantized, classes);
  let sum = 0;
  for (const [at, logP] of logProbabilities(float, classes).entries()) sum += Math.exp(logP) * (logP - (q[at] ?? 0));
  return Math.max(0, sum / (float.length / classes));
}

const share = (values: Int32Array, other: Int32Array) =>
  values.reduce((sum, value, at) => sum + Number(value === other[at]), 0) / values.length;

/** @param samples what models are judged on */
export async function openJudge(
  context: JobContext,
  float: Uint8Array,
  samples: Split,
  { preprocessing }: ModelConfig,
  { inputShape }: Dataset,
): Promise<Judge> {
  const x = toFloat(samples, preprocessing);
  const answers = async (model: Uint8Array) => {
    stopIfAborted(context.signal);
    const session = await createSession(model);
    try {
      return await classify(session, x, inputShape, BATCH);
    } finally {
      await session.release();
    }
  };
  const reference = await answers(float);
  const classes = reference.logits.length / samples.count;
  const judge = async (model: Uint8Array): Promise<Verdict> => {
    const { logits, predictions } = await answers(model);
    const differences = logits.map((value, at) => Math.abs(value - (reference.logits[at] ?? 0)));
    return {
      accuracy: share(predictions, samples.y),
      loss: crossEntropy(logits, samples.y),
      divergence: meanDivergence(reference.logits, logits, classes),
      agreement: share(predictions, reference.predictions),
      maxDifference: differences.reduce((a, b) => Math.max(a, b), 0),
      meanDifference: differences.reduce((a, b) => a + b, 0) / differences.length,
    };
  };
  return { float: await judge(float), samples: samples.count, judge };
}

/** How the quantized model's outputs differ from the float model's on the test samples. */
export async function fidelityOf(
  context: JobContext,
  float: Uint8Array,
  quantized: Uint8Array,
  config: ModelConfig,
  data: Dataset,
): Promise<NonNullable<Metrics["fidelity"]>> {
  const judge = await openJudge(context, float, data.test, config, data);
  const { maxDifference, meanDifference, agreement } = await judge.judge(quantized);
  const { count } = data.test;
  context.log(
    "info",
    `outputs differ by ${meanDifference.toFixed(4)} on average and by ${maxDifference.toFixed(4)} at most`,
  );
  return { maxDifference, meanDifference, agreement: proportion(Math.round(agreement * count), count) };
}
