import { predict, type tf } from "@whittle/engine";
import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDatasetOf } from "../shared/data.ts";
import { distillationFrom } from "../shared/distillation.ts";
import { exportTrainable, measured } from "../shared/draft.ts";
import { checkFits, openArtifact, openTrainable, type Artifact } from "../shared/model.ts";
import { trainingTensors, trainModel } from "../shared/training.ts";
import { buildClassifier, classifierConfig, startEngine } from "../shared/zoo-model.ts";
import type { DistillParams } from "./contract.ts";

/** Trains a student of the zoo on the labels and on a teacher's answers; it sees the samples as the teacher does. */
export async function run(params: DistillParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const backend = await startEngine(context);
  const teacher = await openArtifact(context, "teacher", params.teacher);
  const data = await openDatasetOf(context, teacher, params);
  checkFits(teacher, data);
  const config = classifierConfig(params, data, teacher.manifest.config.preprocessing);
  const tensors = trainingTensors(data, config.preprocessing, params.validationSplit);
  const student = buildClassifier(params, data, params.seed);
  let answers: tf.Tensor | undefined;
  try {
    context.progress(0.05, "asking the teacher");
    answers = await teacherLogits(context, teacher, tensors.x);
    const loss = distillationFrom(answers, params);
    const { seconds: trainingSeconds } = await trainModel(context, student, tensors, params, { loss });
    const exported = await exportTrainable(student, config);
    const job = { kind: "distill", params };
    const parents = [{ role: "teacher" as const, digest: teacher.digest }];
    return await measured(context, { config, job, data, parents, ...exported, backend, trainingSeconds });
  } finally {
    answers?.dispose();
    tensors.dispose();
    student.dispose();
  }
}

/** The teacher's logits for every training sample, [n, classes], asked for once. */
async function teacherLogits(context: JobContext, teacher: Artifact, x: tf.Tensor): Promise<tf.Tensor> {
  const model = await openTrainable(context, teacher);
  try {
    return predict(model, x);
  } finally {
    model.dispose();
  }
}
