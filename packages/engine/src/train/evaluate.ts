import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import { countCorrect, crossEntropy } from "./loss.ts";
import { createPace, throwIfAborted } from "./pace.ts";
import { countOf, rows, type Inputs } from "./raw.ts";
import { Tally } from "./tally.ts";

/** Samples in one call where memory and speed are of no concern to the caller. */
const defaultBatch = 512;

/** A model's results on labelled samples. `loss` is the mean cross-entropy of the logits. */
export interface Evaluation {
  loss: number;
  accuracy: number;
  correct: number;
  samples: number;
}

/**
 * What the model gives for x [n, ...], computed in batches: [n, classes].
 * @throws AppError `invalid_request` when x is empty.
 */
export function predict(model: tf.LayersModel, x: Inputs, batchSize = defaultBatch): tf.Tensor {
  return tf.tidy(() => {
    const parts = ranges(sampleCount(x), batchSize).map(([begin, size]) =>
      tf.tidy(() => infer(model, rows(x, begin, size))),
    );
    return tf.concat(parts, 0);
  });
}

/** Loss and accuracy on samples with class indices; lets the event loop run in between. @throws AppError `cancelled`. */
export async function evaluate(
  model: tf.LayersModel,
  x: Inputs,
  y: tf.Tensor,
  options: { batchSize?: number; signal?: AbortSignal | undefined } = {},
): Promise<Evaluation> {
  const tally = new Tally();
  const pace = createPace();
  try {
    for (const [begin, size] of ranges(sampleCount(x), options.batchSize ?? defaultBatch)) {
      throwIfAborted(options.signal, "Evaluation");
      tally.add(
        tf.tidy(() => evaluateBatch(model, rows(x, begin, size), tf.slice(y, begin, size))),
        size,
      );
      if (pace.due()) await pace.rest();
    }
    const means = tally.read();
    return { ...means, correct: tally.totals.correct, samples: tally.totals.samples };
  } finally {
    tally.dispose();
  }
}

function evaluateBatch(
  model: tf.LayersModel,
  x: tf.Tensor,
  labels: tf.Tensor,
): { loss: tf.Scalar; correct: tf.Scalar } {
  const logits = infer(model, x);
  const y: tf.Tensor1D = tf.reshape(labels, [labels.size]);
  return { loss: crossEntropy({ y }, logits), correct: countCorrect(y, logits) };
}

function infer(model: tf.LayersModel, x: tf.Tensor): tf.Tensor {
  const output = model.apply(x, { training: false });
  if (output instanceof tf.Tensor) return output;
  throw new AppError("unsupported", "Only models with one output can be evaluated");
}

function sampleCount(x: Inputs): number {
  const count = countOf(x);
  if (count === 0) throw new AppError("invalid_request", "x must have at least one sample");
  return count;
}

function ranges(count: number, size: number): [begin: number, size: number][] {
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => {
    const begin = index * size;
    return [begin, Math.min(size, count - begin)];
  });
}
