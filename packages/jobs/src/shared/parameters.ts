/** Parameters that several kinds have in common. Zod only: the API and the CLI load this. */
import { check } from "@whittle/contracts";
import { datasetReference, families, familyName, misfitOf, zooDataset } from "@whittle/zoo/catalog";
import { z } from "zod";

const sampleLimit = z.strictObject({
  train: z.int().positive().optional().meta({ description: "Use only the first this many training samples." }),
  test: z.int().positive().optional().meta({ description: "Use only the first this many test samples." }),
});

/** A smaller part of a data set, for a quick try. */
export const limit = sampleLimit.optional().meta({
  description: "Use only a part of the data; without it, all. Accuracy is then of that part of the test samples.",
});

/** The data set of a job that takes a model: by default the one that the model was made with. */
export const datasetOfModel = datasetReference
  .optional()
  .meta({ description: "Data set; by default the one that the model was made with." });

/** The zoo family that a job builds its model from. */
export const architecture = {
  family: familyName.meta({ description: "Model family of the zoo." }),
  familyParams: z
    .record(z.string(), z.unknown())
    .default({})
    .meta({ description: "Parameters of the family, such as {hidden: [128]} of mlp; each has a default." }),
};

interface Architecture {
  family: z.infer<typeof familyName>;
  familyParams: Record<string, unknown>;
}

/** Refuses parameters that the named family does not take, each under its own path (`familyParams.hidden`). */
export function checkFamilyParams({ family, familyParams }: Architecture, context: z.RefinementCtx): void {
  const checked = check(families[family].params, familyParams);
  if (checked.success) return;
  for (const { path, message } of checked.problems) {
    context.addIssue({ code: "custom", message, path: ["familyParams", ...path] });
  }
}

/** Refuses a family that can't take the samples of the data set; of an uploaded one only who has the store can tell. */
export function checkFamilyTakes(
  { family, dataset }: { family: Architecture["family"]; dataset: string },
  context: z.RefinementCtx,
): void {
  const contract = zooDataset(dataset);
  const problem = contract && misfitOf(families[family], dataset, contract);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem, path: ["family"] });
}
