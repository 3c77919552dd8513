import { defineJob, modelReference, trainingSettings } from "@whittle/contracts";
import { z } from "zod";
import { architecture, checkFamilyParams, datasetOfModel, limit } from "../shared/parameters.ts";

const params = z
  .strictObject({
    teacher: modelReference.meta({
      description: "The trained model to learn from, with the data set's inputs and classes.",
    }),
    ...architecture,
    dataset: datasetOfModel,
    limit,
    temperature: z.number().min(1).max(100).default(4).meta({
      description: "T: how much the teacher's and the student's probabilities are softened before they are compared.",
    }),
    alpha: z.number().min(0).max(1).default(0.3).meta({
      description: "Weight of the true labels; the teacher has 1 - alpha. With 1 the teacher is not listened to.",
    }),
    ...trainingSettings.shape,
  })
  .superRefine(checkFamilyParams);

export type DistillParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "distill",
  title: "Distill into a smaller model",
  description:
    "Trains a student of a zoo family on the true labels and on a teacher's softened answers: " +
    "loss = alpha CE(labels) + (1 - alpha) T^2 KL(teacher || student) at temperature T (Hinton et al., arXiv 1503.02531).",
  params,
  models: { teacher: "teacher" },
  publishes: true,
  example: {
    teacher: "fashion-teacher@1",
    family: "mlp",
    familyParams: { hidden: [128] },
    temperature: 4,
    alpha: 0.3,
    epochs: 5,
    clip: { value: 1 },
  },
});
