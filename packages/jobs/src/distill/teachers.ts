import type { JobContext } from "../shared/context.ts";
import { openArtifact, refuse, type Artifact } from "../shared/model.ts";
import type { DistillParams } from "./contract.ts";

/** A model to learn from, and how much it counts beside the others. */
export interface Teacher extends Artifact {
  weight: number;
}

/**
 * The models that the parameters name; the first is the one that the student's form and its hints follow.
 * @throws AppError `invalid_request` where they would have to see the samples in different forms.
 */
export async function openTeachers(
  context: JobContext,
  { teacher, teachers = [] }: DistillParams,
): Promise<[Teacher, ...Teacher[]]> {
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
  return [first, ...others];
}
