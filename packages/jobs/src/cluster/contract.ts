import { defineJob, modelReference, trainingSettings } from "@whittle/contracts";
import { z } from "zod";
import { datasetOfModel, limit } from "../shared/parameters.ts";

const params = z.strictObject({
  model: modelReference.meta({
    description: "The model to cluster; it must have a trainable form, so not a quantized one.",
  }),
  dataset: datasetOfModel,
  limit,
  clusters: z.int().min(2, "clusters must be at least 2").max(256, "clusters must be at most 256").default(16).meta({
    description: "Different values that the weights of a layer may have, zero included where some are pruned.",
  }),
  fineTune: z.strictObject(trainingSettings.shape).optional().meta({
    description: "Train the values on afterwards, each for all the weights that have it; without it, they stay.",
  }),
});

export type ClusterParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "cluster",
  title: "Cluster weights",
  description:
    "Gives the weights of each layer a few different values, found by k-means. The file keeps its size and the model its speed, but " +
    "compressed, as it is stored and sent, the file is several times smaller. Zeros of a pruned model stay zero.",
  params,
  models: { model: "base" },
  publishes: true,
  example: { model: "fashion-student@1", clusters: 16, fineTune: { epochs: 2 } },
});
