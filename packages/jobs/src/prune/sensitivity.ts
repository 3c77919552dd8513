import { evaluate, samplesAt, tf } from "@whittle/engine";
import type { JobContext } from "../shared/context.ts";
import type { TrainingSamples } from "../shared/training.ts";

/** How a model answers when something of these layers, and of no others, is taken away. */
export interface Curve {
  layers: string[];
  /** By the share that is taken away, without fine-tuning. */
  points: { removed: number; accuracy: number }[];
}

/** Held-out samples that a model is judged by. */
const SAMPLES = 2048;

/** Judges models by the first samples that were held back or, where there are none, by those to train on. */
export async function judging<T>(
  context: JobContext,
  { validation, ...training }: TrainingSamples,
  work: (accuracyOf: (model: tf.LayersModel) => Promise<number>) => Promise<T>,
): Promise<T> {
  const { x: inputs, y: labels } = validation ?? training;
  const places = Int32Array.from({ length: Math.min(SAMPLES, labels.length) }, (_, at) => at);
  const [x, y] = [samplesAt(inputs, places), tf.tensor1d(labels.subarray(0, places.length), "int32")];
  try {
    return await work(async (model) => (await evaluate(model, x, y, context)).accuracy);
  } finally {
    tf.dispose([x, y]);
  }
}
