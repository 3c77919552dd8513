import { encodeModel, type OnnxModel } from "../proto/model.ts";
import { shapeOf } from "../proto/node.ts";
import { DataType } from "../proto/tensor.ts";
import { createSession, type Session } from "../runtime/session.ts";
import { areProbabilities, checkAgreement } from "./agreement.ts";
import { freeBatch } from "./batch.ts";
import { liftConstants } from "./constants.ts";
import { adaptInput, layoutOf, type Channels, type InputLayout } from "./layout.ts";
import { OUTPUT, tidyNames } from "./names.ts";
import { raiseOpset } from "./opset.ts";
import { withoutSoftmax } from "./output.ts";
import { poolMeans } from "./pooling.ts";
import { readClassifier, refuseModel } from "./read.ts";
import { observeShapes } from "./shapes.ts";
import { simplify } from "./simplify.ts";
import { arrangeConstants } from "./weights.ts";

export interface ImportOptions {
  /** Of one sample: [28, 28, 1]. */
  sample: readonly number[];
  /** Some real samples, preprocessed, to compare answers on. */
  samples: Float32Array;
  /** Where the model's input has its channels, for shapes that don't tell; by default last, with a warning. */
  channels?: Channels | undefined;
}

export interface ImportedModel {
  /** `input` [n, ...sample] gives `logits` [n, classes]; operators of the standard, every shape declared. */
  model: Uint8Array<ArrayBuffer>;
  classes: number;
  /** What is not as it was in the file, for a person. */
  changes: string[];
  /** What was assumed and may be wrong. */
  warnings: string[];
}

/**
 * Brings a classifier that another tool exported as ONNX into the form that is quantized, measured and served here, and checks that it
 * answers as before.
 * @throws AppError `unsupported` or `corrupt` saying what was found and what would be right.
 */
export async function importOnnx(bytes: Uint8Array, options: ImportOptions): Promise<ImportedModel> {
  const { sample, samples, channels } = options;
  const read = readClassifier(bytes);
  const layout = layoutOf(read, sample, channels);
  const file = await createSession(bytes);
  try {
    const { model, changes, isSoftmaxed } = await bringIntoForm(read, layout, sample);
    const imported = encodeModel(model);
    const session = await createSession(imported);
    try {
      const found = await checkAgreement(file, session, { data: samples, shape: sample }, { layout, isSoftmaxed });
      const classes = classesOf(session);
      if (areProbabilities(found, classes)) changes.push(STILL_PROBABILITIES);
      return { model: imported, classes, changes, warnings: layout.isAssumed ? [assumedLast(sample)] : [] };
    } finally {
      await session.release();
    }
  } finally {
    await file.release();
  }
}

/** Other floats than float32. */
const floats = new Map([
  [DataType.FLOAT16, "float16"],
  [11, "float64"],
  [16, "bfloat16"],
]);

const STILL_PROBABILITIES =
  "the model gives probabilities, not logits, because its Softmax is not at the end: its classes are right, its loss is not";

const assumedLast = (sample: readonly number[]) =>
  `the model takes [n, ${sample.join(", ")}], where the channels may be first or last: they were taken to be last, as the samples have ` +
  "them. If it was exported from PyTorch they are probably first: import it again with channels first";

interface Formed {
  model: OnnxModel;
  changes: string[];
  /** Whether a Softmax was taken off its end. */
  isSoftmaxed: boolean;
}

async function bringIntoForm(read: OnnxModel, layout: InputLayout, sample: readonly number[]): Promise<Formed> {
  const changes = layout.change === undefined ? [] : [layout.change];
  let model = adaptInput(liftConstants(tidyNames(read)), layout, sample);
  if (layout.batch !== -1) {
    model = freeBatch(model, layout.batch);
    changes.push(`the batch, which was fixed at ${layout.batch}, may have any size`);
  }
  // The declared output may be of a fixed batch.
  model = raiseOpset({ ...model, graph: { ...model.graph, output: [{ name: OUTPUT }] } });
  const simple = await running(layout, () => simplify(model));
  if (!simple) changes.push("nothing was folded: ONNX Runtime's basic optimizations left the ONNX standard");
  model = simple ?? model;
  checkPrecision(model);
  const logits = withoutSoftmax(model);
  if (logits) changes.push("the Softmax at the end was taken off: the model gives logits");
  const shaped = await running(layout, () => observeShapes(logits ?? model, sample));
  checkScores(shaped);
  const pooled = arrangeConstants(poolMeans(shaped));
  return { model: await observeShapes(pooled, sample), changes, isSoftmaxed: logits !== undefined };
}

/** @throws AppError `unsupported` for weights of another precision, which would not be quantized, nor counted as left in float. */
function checkPrecision({ graph }: OnnxModel): void {
  const other = graph.initializer.find(({ dims, dataType }) => dims.length > 1 && floats.has(dataType));
  if (!other) return;
  const type = floats.get(other.dataType);
  refuseModel(`The weights ${other.name} are ${type}: export the model in float32 (model.float()).`);
}

/** @throws AppError `unsupported` where ONNX Runtime does not run the model, as it does not where the batch is fixed at some place. */
async function running<T>({ batch, name }: InputLayout, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const found = batch === -1 ? "does not take any number of samples" : `has its batch fixed at ${batch} for good`;
    return refuseModel(
      `The model ${found}: export it with a free batch (dynamic_axes={"${name}": {0: "n"}} or dynamic_shapes) and an example of 2 samples. ` +
        `ONNX Runtime says: ${error.message}`,
    );
  }
}

function checkScores({ graph }: OnnxModel): void {
  const [output] = graph.output;
  const [batch, ...rest] = (output && shapeOf(output)) ?? [];
  if (batch === -1 && rest.length === 1 && rest[0] !== -1) return;
  refuseModel(`The model gives [${[batch, ...rest].join(", ")}] (-1: varies); it must give scores, [n, classes].`);
}

function classesOf({ outputs }: Session): number {
  return outputs[0]?.shape.at(-1) ?? 0;
}
