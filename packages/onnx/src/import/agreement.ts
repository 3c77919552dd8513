import type { Session } from "../runtime/session.ts";
import { elementCount } from "../proto/tensor.ts";
import type { InputLayout, Samples } from "./layout.ts";
import { refuseModel } from "./read.ts";

/** The relative tolerance of torch.onnx's own check of what it exports (VerificationOptions.rtol). */
const RELATIVE = 1e-3;
/** Of the largest output: what sums that cancel each other may be off, in another order and with batch normalization folded. */
const OF_LARGEST = 1e-4;

async function answer(session: Session, { data, shape }: Samples): Promise<Float32Array> {
  const [input, output] = [session.inputs[0]?.name ?? "", session.outputs[0]?.name ?? ""];
  const count = data.length / elementCount(shape);
  const { [output]: scores } = await session.run({ [input]: { shape: [count, ...shape], datatype: "FP32", data } });
  return scores?.data instanceof Float32Array ? scores.data : new Float32Array();
}

/** The answers in calls of `batch` samples each; the last call is filled up with its last sample. */
async function answerInCalls(session: Session, samples: Samples, batch: number): Promise<Float32Array> {
  const size = elementCount(samples.shape);
  const count = samples.data.length / size;
  const answers: number[] = [];
  for (let from = 0; from < count; from += batch) {
    const data = new Float32Array(batch * size);
    for (let at = 0; at < batch; at++) {
      const sample = Math.min(from + at, count - 1);
      data.set(samples.data.subarray(sample * size, (sample + 1) * size), at * size);
    }
    const given = await answer(session, { data, shape: samples.shape });
    answers.push(...given.subarray(0, (given.length / batch) * Math.min(batch, count - from)));
  }
  return Float32Array.from(answers);
}

function softmax(logits: Float32Array, classes: number): Float32Array {
  const result = new Float32Array(logits.length);
  for (let from = 0; from < logits.length; from += classes) {
    const row = logits.subarray(from, from + classes);
    const top = row.reduce((a, b) => Math.max(a, b));
    const sum = row.reduce((total, logit) => total + Math.exp(logit - top), 0);
    for (const [at, logit] of row.entries()) result[from + at] = Math.exp(logit - top) / sum;
  }
  return result;
}

/** The largest difference of two answers beyond the tolerance; 0 where they agree. */
export function disagreement(expected: Float32Array, found: Float32Array): number {
  if (expected.length !== found.length) return Infinity;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let worst = 0;
  for (const [at, value] of expected.entries()) {
    const difference = Math.abs(value - (found[at] ?? 0));
    // A NaN is not within any tolerance.
    if (!(difference <= RELATIVE * Math.abs(value) + OF_LARGEST * largest))
      worst = Math.max(worst, difference || Infinity);
  }
  return worst;
}

/**
 * Checks that an imported model answers as the file it was made from, whatever the number of samples in a call.
 * @param file a session of it
 * @param imported the same of the model as it is now
 * @param samples some real ones
 * @param isSoftmaxed whether the file gives the softmax of what the model gives
 * @returns the model's answers, [samples, classes].
 * @throws AppError `unsupported` saying by how much they differ.
 */
export async function checkAgreement(
  file: Session,
  imported: Session,
  samples: Samples,
  { layout, isSoftmaxed }: { layout: InputLayout; isSoftmaxed: boolean },
): Promise<Float32Array> {
  const count = samples.data.length / elementCount(samples.shape);
  const together = await answer(imported, samples);
  const alone = await answerInCalls(imported, samples, 1);
  if (!alone.every((score) => Number.isFinite(score)))
    refuseModel(
      `The model answers NaN or an infinite score for some of ${count} samples: it probably expects its values scaled otherwise ` +
        "(preprocessing).",
    );
  const apart = disagreement(alone, together);
  if (apart > 0)
    refuseModel(
      `The model answers ${count} samples otherwise than each alone, by up to ${apart}: export it so that the batch may have any size ` +
        "(dynamic_axes or dynamic_shapes) and for inference (model.eval()).",
    );
  const batch = layout.batch === -1 ? count : layout.batch;
  const expected = await answerInCalls(file, layout.toFile(samples.data), batch);
  const given = isSoftmaxed ? softmax(together, together.length / count) : together;
  const difference = disagreement(expected, given);
  if (difference > 0)
    refuseModel(
      `As it was brought into the form used here, the model answers otherwise than the file, by up to ${difference}.`,
    );
  return together;
}

/** Whether the scores of each sample are from 0 to 1 and their sum is 1. */
export function areProbabilities(scores: Float32Array, classes: number): boolean {
  return Array.from({ length: scores.length / classes }, (_none, row) =>
    scores.subarray(row * classes, (row + 1) * classes),
  ).every(
    (row) =>
      row.every((score) => score >= 0 && score <= 1) && Math.abs(row.reduce((sum, each) => sum + each, 0) - 1) < 1e-3,
  );
}
