import { parse } from "@whittle/contracts";
import type { tf } from "@whittle/engine";
import { familyName } from "@whittle/zoo/catalog";
import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDatasetOf } from "../shared/data.ts";
import { exportTrainable, measured } from "../shared/draft.ts";
import { checkFits } from "../shared/model.ts";
import { trainingTensors, trainModel } from "../shared/training.ts";
import { buildClassifier, classifierConfig, startEngine } from "../shared/zoo-model.ts";
import type { DistillParams } from "./contract.ts";
import { compareWithControl, halfOf } from "./control.ts";
import { prepareLesson, type Lesson } from "./lesson.ts";
import { openTeachers, type Teacher } from "./teachers.ts";

/** Trains a student of the zoo on the labels and on what teachers answer; it sees the samples as they do. */
export async function run(params: DistillParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const backend = await startEngine(context);
  const teachers = await openTeachers(context, params);
  const [first] = teachers;
  const data = await openDatasetOf(context, first, params);
  for (const teacher of teachers) checkFits(teacher, data);
  const architecture = architectureOf(params, first);
  const config = classifierConfig(architecture, data, first.manifest.config.preprocessing);
  const tensors = trainingTensors(data, config.preprocessing, params.validationSplit);
  let student: tf.LayersModel | undefined;
  let lesson: Lesson | undefined;
  try {
    student = buildClassifier(architecture, data, params.seed);
    context.progress(0.05, "asking the teacher");
    lesson = await prepareLesson({ context, params, teachers, data, x: tensors.x }, student);
    const told = params.control ? halfOf(context, "student") : context;
    const { seconds: trainingSeconds } = await trainModel(told, student, tensors, params, lesson.extras);
    const exported = await exportTrainable(context, student, config);
    const job = { kind: "distill", params };
    const parents = teachers.map(({ digest }) => ({ role: "teacher" as const, digest }));
    const product = { config, job, data, parents, ...exported, backend, trainingSeconds };
    if (!params.control) return await measured(context, product);
    const control = await compareWithControl({ context, params, architecture, config, data, tensors }, exported.onnx);
    return await measured(context, { ...product, metrics: { control } });
  } finally {
    lesson?.dispose();
    tensors.dispose();
    student?.dispose();
  }
}

/** What the student is built as: the first teacher's like where the parameters name no family. */
function architectureOf({ family, familyParams }: DistillParams, { manifest: { config } }: Teacher) {
  if (family !== undefined) return { family, familyParams };
  return { family: parse(familyName, config.family, "The teacher", "family"), familyParams: config.familyParams };
}
