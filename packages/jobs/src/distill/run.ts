import type { tf } from "@whittle/engine";
import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDatasetOf } from "../shared/data.ts";
import { exportTrainable, measured } from "../shared/draft.ts";
import { checkFits } from "../shared/model.ts";
import { trainingSamples, trainModel } from "../shared/training.ts";
import { startEngine } from "../shared/zoo-model.ts";
import type { DistillParams } from "./contract.ts";
import { compareWithControl } from "./control.ts";
import { prepareLesson, type Lesson } from "./lesson.ts";
import { planStudent } from "./student.ts";
import { openTeachers } from "./teachers.ts";

/** Trains a student on the labels and on what teachers answer; it sees the samples as they do. */
export async function run(params: DistillParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const backend = await startEngine(context);
  const teachers = await openTeachers(context, params);
  const [first] = teachers;
  const data = await openDatasetOf(context, first, params);
  for (const teacher of teachers) checkFits(teacher, data);
  const plan = planStudent(context, params, first, data);
  const { config } = plan;
  const samples = trainingSamples(data, config.preprocessing, params.validationSplit);
  const lessonPlan = { context, params, teachers, data, samples };
  let student: tf.LayersModel | undefined;
  let lesson: Lesson | undefined;
  try {
    student = await plan.build();
    context.progress(0.05, "asking the teacher");
    lesson = await prepareLesson(lessonPlan, student);
    const part = params.control && { part: { name: "student", before: 0, of: 2 } };
    const extras = { ...lesson.extras, ...part };
    const training = await trainModel(context, student, samples, params, extras);
    const exported = await exportTrainable(context, student, config);
    const job = { kind: "distill", params };
    const parents = teachers.map(({ digest }) => ({ role: "teacher" as const, digest }));
    const product = { config, job, data, parents, ...exported, backend, training };
    if (!params.control) return await measured(context, product);
    const control = await compareWithControl(lessonPlan, plan, exported.onnx);
    return await measured(context, { ...product, metrics: { control } });
  } finally {
    lesson?.dispose();
    student?.dispose();
  }
}
