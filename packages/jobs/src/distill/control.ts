import type { Metrics, ModelConfig } from "@whittle/contracts";
import type { Dataset } from "@whittle/zoo";
import type { JobContext } from "../shared/context.ts";
import { exportTrainable } from "../shared/draft.ts";
import { evaluateOnnx } from "../shared/evaluation.ts";
import { mcNemar } from "../shared/mcnemar.ts";
import { percent, trainModel, type TrainingTensors } from "../shared/training.ts";
import { buildClassifier } from "../shared/zoo-model.ts";
import type { DistillParams } from "./contract.ts";

export interface Student {
  context: JobContext;
  params: DistillParams;
  architecture: Parameters<typeof buildClassifier>[0];
  config: ModelConfig;
  data: Dataset;
  tensors: TrainingTensors;
}

/** Trains a student's like on the labels alone, from the same first weights, and compares the two on the test samples. */
export async function compareWithControl(student: Student, distilled: Uint8Array): Promise<Metrics["control"]> {
  const { context, config, data } = student;
  const alone = await evaluateOnnx(context, await trainControl(student), data.test, config, data);
  const own = await evaluateOnnx(context, distilled, data.test, config, data);
  const { onlyFirst, onlySecond, pValue } = mcNemar(data.test.y, alone.predictions, own.predictions);
  const gained = (100 * (own.accuracy.value - alone.accuracy.value)).toFixed(2);
  const without = `without a teacher the student has a test accuracy of ${percent(alone.accuracy.value)}`;
  context.log("info", `${without}: distillation gains ${gained} points (McNemar p = ${pValue.toPrecision(2)})`);
  return { accuracy: alone.accuracy, mcNemar: { onlyControl: onlyFirst, onlyThis: onlySecond, pValue } };
}

/** @returns the control as ONNX. */
async function trainControl({ context, params, architecture, config, data, tensors }: Student): Promise<Uint8Array> {
  const model = buildClassifier(architecture, data, params.seed);
  try {
    await trainModel(halfOf(context, "control"), model, tensors, params, { part: "control" });
    return (await exportTrainable(context, model, config)).onnx;
  } finally {
    model.dispose();
  }
}

/** What one of two trainings tells: progress as a half of the job's, which goes from 0.1 to 0.9, and the control's epochs apart. */
export function halfOf(context: JobContext, which: "student" | "control"): JobContext {
  const before = which === "student" ? 0 : 0.4;
  return {
    ...context,
    progress: (fraction, stage) => context.progress(0.1 + before + (fraction - 0.1) / 2, `${which}: ${stage}`),
    log: (level, message) => context.log(level, `${which}: ${message}`),
    metrics: (series, step, values) => context.metrics(which === "student" ? series : which, step, values),
  };
}
