import { AppError, type TensorSpec } from "@whittle/contracts";
import type { Session } from "./session.ts";

export interface Classification {
  /** What the model gives, row-major [samples, classes]. */
  logits: Float32Array;
  /** For each sample the class with the largest logit, the first where several are equal. */
  predictions: Int32Array;
}

/** The index of the largest value in each row; the first where several are equal. */
export function argMax(values: Float32Array, columns: number): Int32Array {
  return Int32Array.from({ length: values.length / columns }, (_none, row) => {
    let best = row * columns;
    for (let at = best + 1; at < (row + 1) * columns; at++) if ((values[at] ?? 0) > (values[best] ?? 0)) best = at;
    return best - row * columns;
  });
}

/** The one FP32 input and output of a classifier. @throws AppError `unsupported` when the model has others. */
export function onlyTensors({ inputs, outputs }: Pick<Session, "inputs" | "outputs">): [TensorSpec, TensorSpec] {
  const [input, output] = [inputs[0], outputs[0]];
  const fits = inputs.length === 1 && outputs.length === 1 && input?.datatype === "FP32" && output?.datatype === "FP32";
  if (fits) return [input, output];
  throw new AppError("unsupported", "A classifier must have one FP32 input and one FP32 output.");
}

/**
 * Runs a classifier over `x` in batches.
 * @param x samples, row-major
 * @param shape of one sample, without the batch: [28, 28, 1]
 * @param batch samples in one call of the model
 * @throws AppError `invalid_request` when `shape` does not fit `x` or the model.
 */
export async function classify(
  session: Session,
  x: Float32Array,
  shape: readonly number[],
  batch: number,
): Promise<Classification> {
  const [input, output] = onlyTensors(session);
  const size = shape.reduce((product, each) => product * each, 1);
  const samples = x.length / size;
  if (!Number.isInteger(samples)) {
    throw new AppError("invalid_request", `${x.length} values are not whole samples of shape [${shape.join(", ")}].`);
  }
  const classes = output.shape.at(-1) ?? 1;
  const logits = new Float32Array(samples * classes);
  for (let from = 0; from < samples; from += batch) {
    const count = Math.min(batch, samples - from);
    const data = x.subarray(from * size, (from + count) * size);
    const results = await session.run({ [input.name]: { shape: [count, ...shape], datatype: "FP32", data } });
    const data32 = results[output.name]?.data;
    if (data32 instanceof Float32Array) logits.set(data32, from * classes);
  }
  return { logits, predictions: argMax(logits, classes) };
}
