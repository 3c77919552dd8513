/** Parameters of every method. Zod only: the API and the CLI load this. */
import { modelReference } from "@whittle/contracts";
import { datasetOfModel, limit } from "../shared/parameters.ts";

export const base = {
  model: modelReference.meta({
    description: "The model to prune; it must have a trainable form, so not a quantized one.",
  }),
  dataset: datasetOfModel,
  limit,
};
