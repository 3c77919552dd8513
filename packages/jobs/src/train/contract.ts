import { defineJob, trainingSettings } from "@whittle/contracts";
import { datasetReference } from "@whittle/zoo/catalog";
import { z } from "zod";
import { architecture, checkFamilyParams, checkFamilyTakes, limit } from "../shared/parameters.ts";

const params = z
  .strictObject({
    ...architecture,
    dataset: datasetReference.meta({ description: "Data set to train on." }),
    limit,
    ...trainingSettings.shape,
  })
  .superRefine(checkFamilyParams)
  .superRefine(checkFamilyTakes);

export type TrainParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "train",
  title: "Train a model",
  description:
    "Builds a model of a zoo family and trains it on a data set with cross entropy. A share of the training samples is held back to " +
    "choose the best epoch; the accuracy that the artifact carries is of the test samples, in ONNX Runtime.",
  params,
  models: {},
  publishes: true,
  example: { family: "mlp", familyParams: { hidden: [128] }, dataset: "fashion-mnist", epochs: 5, batchSize: 128 },
});
