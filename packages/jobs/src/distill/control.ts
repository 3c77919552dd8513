import type { Metrics } from "@whittle/contracts";
import { onnxOf } from "../shared/draft.ts";
import { evaluateOnnx } from "../shared/evaluation.ts";
import { mcNemar } from "../shared/mcnemar.ts";
import { percent, trainModel } from "../shared/training.ts";
import type { LessonPlan } from "./lesson.ts";
import type { StudentPlan } from "./student.ts";

/** Trains a student's like on the labels alone, from the same first weights, and compares the two on the test samples. */
export async function compareWithControl(
  plan: LessonPlan,
  student: StudentPlan,
  distilled: Uint8Array,
): Promise<Metrics["control"]> {
  const { context, data } = plan;
  const { config } = student;
  const alone = await evaluateOnnx(context, await trainControl(plan, student), data.test, config, data);
  const own = await evaluateOnnx(context, distilled, data.test, config, data);
  const { onlyFirst, onlySecond, pValue } = mcNemar(data.test.y, alone.predictions, own.predictions);
  const gained = (100 * (own.accuracy.value - alone.accuracy.value)).toFixed(2);
  const without = `without a teacher the student has a test accuracy of ${percent(alone.accuracy.value)}`;
  context.log("info", `${without}: distillation gains ${gained} points (McNemar p = ${pValue.toPrecision(2)})`);
  return { accuracy: alone.accuracy, mcNemar: { onlyControl: onlyFirst, onlyThis: onlySecond, pValue } };
}

/** @returns the control as ONNX. */
async function trainControl(
  { context, params, samples }: LessonPlan,
  { build, config }: StudentPlan,
): Promise<Uint8Array> {
  const model = await build();
  try {
    const part = { name: "control", before: 1, of: 2, series: "control" };
    await trainModel(context, model, samples, params, { part });
    return onnxOf(model, config.signature);
  } finally {
    model.dispose();
  }
}
