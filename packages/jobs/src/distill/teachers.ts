import type { JobContext } from "../shared/context.ts";
import { isTrainable, openArtifact, refuse, whyNotTrainable, type Artifact } from "../shared/model.ts";
import type { DistillParams } from "./contract.ts";

/** A model to learn from, and how much it counts beside the others. */
export interface Teacher extends Artifact {
  weight: number;
}

/**
 * The models that the parameters name; the first is the one that the student's form and its hints follow.
 * @throws AppError `invalid_request` where they would have to see the samples in different forms, and at `hints` or `augment` where
 * these need layers of a teacher that is ONNX alone.
 */
export async function openTeachers(context: JobContext, params: DistillParams): Promise<[Teacher, ...Teacher[]]> {
  const { teacher, teachers = [] } = params;
  const open = async (param: string, digest: string, weight: number): Promise<Teacher> => ({
    ...(await openArtifact(context, param, digest)),
    weight,
  });
  const [first, ...others] = await Promise.all([
    ...(teacher === undefined ? [] : [open("teacher", teacher, 1)]),
    ...teachers.map(({ model, weight }, at) => open(`teachers.${at}.model`, model, weight)),
  ]);
  if (!first) refuse("teacher", "name a model to learn from");
  const { scale, offset } = first.manifest.config.preprocessing;
  for (const { param, manifest } of others) {
    const other = manifest.config.preprocessing;
    if (other.scale !== scale || other.offset !== offset)
      refuse(param, `it takes values as x * ${other.scale} + ${other.offset}, the first as x * ${scale} + ${offset}`);
  }
  if (params.augment) for (const each of [first, ...others]) checkRunsInSteps(each, "augment");
  if (params.hints.length > 0) checkRunsInSteps(first, "hints");
  return [first, ...others];
}

/** ONNX Runtime answers before the training; inside its steps a teacher answers in TensorFlow, which takes layers. */
function checkRunsInSteps({ manifest, param }: Teacher, asked: "augment" | "hints"): void {
  if (isTrainable(manifest)) return;
  const need = asked === "hints" ? "a hint takes a layer of the teacher" : "the teacher answers at each step";
  refuse(asked, `${need}, but the model of params.${param} ${whyNotTrainable(manifest)}`);
}
