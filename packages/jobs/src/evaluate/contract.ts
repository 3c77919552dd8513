import { defineJob, modelReference } from "@whittle/contracts";
import { z } from "zod";
import { datasetOfModel, limit } from "../shared/parameters.ts";

const explanations = z.strictObject({
  beside: modelReference.meta({ description: "The other model, such as the one that this was made from." }),
  samples: z
    .int()
    .min(2)
    .max(1000)
    .default(32)
    .meta({ description: "How many samples, from the beginning of the split." }),
  evaluations: z
    .int()
    .min(2)
    .max(20_000)
    .default(1000)
    .meta({ description: "The most samples to run a model on for one explanation; there are three for each sample." }),
});

export type ExplanationParams = z.infer<typeof explanations>;

const params = z.strictObject({
  model: modelReference.meta({ description: "The model to evaluate." }),
  dataset: datasetOfModel,
  limit,
  split: z.enum(["test", "train"]).default("test").meta({ description: "The part of the data set to evaluate on." }),
  explanations: explanations
    .optional()
    .meta({ description: "Also measures how alike the model and another explain their answers." }),
});

export type EvaluateParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "evaluate",
  title: "Evaluate a model",
  description:
    "Runs a published model in ONNX Runtime, as it is served, over a split of a data set. Gives the accuracy with its 95% interval, " +
    "the loss, the accuracy of each class and the confusion matrix, and on request how alike it and another model explain their " +
    "answers. Publishes nothing.",
  params,
  models: { model: "base", "explanations.beside": "base" },
  publishes: false,
  example: { model: "fashion-student@1", split: "test" },
});
