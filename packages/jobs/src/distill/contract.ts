import { defineJob, modelReference, trainingSettings } from "@whittle/contracts";
import { z } from "zod";
import { architecture, checkFamilyParams, checkFamilyTakes, datasetOfModel, limit } from "../shared/parameters.ts";

const weight = (description: string) => z.number().gt(0).max(1e6).default(1).meta({ description });

const weighted = z.strictObject({
  model: modelReference,
  weight: weight("How much the model counts beside the others."),
});

const hint = z.strictObject({
  teacher: z
    .string()
    .meta({ description: "Layer of the teacher; an unknown name is answered by those that there are." }),
  student: z.string().meta({ description: "Layer of the student." }),
  type: z
    .enum(["features", "attention"], { error: "type must be features or attention" })
    .default("features")
    .meta({
      description:
        "features: the student's features, projected by a matrix that is learned with it, come close to the teacher's (FitNets, " +
        "arXiv 1412.6550). attention: the places of an image where both are active come close (arXiv 1612.03928).",
    }),
  weight: weight("What the hint's loss is multiplied by before it is added."),
});

export type Hint = z.infer<typeof hint>;

const params = z
  .strictObject({
    teacher: modelReference.optional().meta({
      description: "The trained model to learn from, with the data set's inputs and classes.",
    }),
    teachers: z.array(weighted).min(1).max(16).optional().meta({
      description: "Several models in the place of `teacher`: the average of their softened probabilities is learned.",
    }),
    family: architecture.family.optional().meta({
      description:
        "Model family of the zoo; without it the (first) teacher's with its parameters: the model learns from its like.",
    }),
    familyParams: architecture.familyParams,
    dataset: datasetOfModel,
    limit,
    temperature: z
      .number()
      .min(1)
      .max(100)
      .default(1)
      .meta({
        description:
          "T: how much the teacher's and the student's probabilities are softened before they are compared. " +
          "A large student gained by 20, a very small one lost by each above 1.",
      }),
    alpha: z.number().min(0).max(1).default(0.5).meta({
      description: "Weight of the true labels; the teacher has 1 - alpha. With 1 the teacher is not listened to.",
    }),
    hints: z.array(hint).max(16).default([]).meta({
      description: "Layers of the student that learn from layers of the (first) teacher, besides its answers.",
    }),
    control: z.boolean().default(false).meta({
      description:
        "Also train the same student without a teacher, by the same seed and settings, and report how it compares: what distillation gains.",
    }),
    ...trainingSettings.shape,
  })
  .superRefine(({ teacher, teachers, family, familyParams, dataset }, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (teacher === undefined && teachers === undefined)
      refuse("teacher", "name a model to learn from, or several as teachers");
    if (teacher !== undefined && teachers !== undefined)
      refuse("teachers", "must be left out where teacher is given: name one model as teacher, or several as teachers");
    if (family !== undefined) checkFamilyParams({ family, familyParams }, context);
    else if (Object.keys(familyParams).length > 0)
      refuse("familyParams", "needs a family; without one the teacher's parameters are taken");
    if (family !== undefined && dataset !== undefined) checkFamilyTakes({ family, dataset }, context);
  });

export type DistillParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "distill",
  title: "Distill into a smaller model",
  description:
    "Trains a student of a zoo family on the true labels and on the softened answers of a teacher or several: " +
    "loss = alpha CE(labels) + (1 - alpha) T^2 KL(teacher || student) at temperature T (Hinton et al., arXiv 1503.02531), " +
    "and hints from the teacher's layers where asked for.",
  params,
  models: { teacher: "teacher", "teachers.*.model": "teacher" },
  publishes: true,
  example: {
    teacher: "fashion-teacher@1",
    family: "mlp",
    familyParams: { hidden: [128] },
    temperature: 2,
    alpha: 0.5,
    epochs: 5,
    clip: { value: 1 },
  },
});
