import { defineJob, modelReference } from "@whittle/contracts";
import { z } from "zod";
import { datasetOfModel, limit } from "../shared/parameters.ts";

const params = z.strictObject({
  model: modelReference.meta({ description: "The model to evaluate." }),
  dataset: datasetOfModel,
  limit,
  split: z.enum(["test", "train"]).default("test").meta({ description: "The part of the data set to evaluate on." }),
});

export type EvaluateParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "evaluate",
  title: "Evaluate a model",
  description:
    "Runs a published model in ONNX Runtime, as it is served, over a split of a data set. Gives the accuracy with its 95% interval, " +
    "the loss, the accuracy of each class and the confusion matrix. Publishes nothing.",
  params,
  models: { model: "base" },
  publishes: false,
  example: { model: "fashion-student@1", split: "test" },
});
