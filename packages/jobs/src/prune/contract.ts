import { defineJob, modelReference, trainingSettings } from "@whittle/contracts";
import { z } from "zod";
import { datasetOfModel, limit } from "../shared/parameters.ts";

const params = z
  .strictObject({
    model: modelReference.meta({
      description: "The model to prune; it must have a trainable form, so not a quantized one.",
    }),
    method: z.literal("l1").default("l1").meta({ description: "Weights of least magnitude go." }),
    scope: z
      .enum(["global", "local"])
      .default("global")
      .meta({ description: "Compare magnitudes over the whole network, or within each layer." }),
    amount: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .meta({ description: "Share of the weights to make zero: exactly round(n amount) of n. This or threshold." }),
    threshold: z
      .number()
      .nonnegative()
      .optional()
      .meta({ description: "Make every weight zero whose magnitude is below this. This or amount." }),
    fineTune: z
      .strictObject(trainingSettings.shape)
      .optional()
      .meta({ description: "Train on afterwards, with the zeros kept; without it, the weights are only cut." }),
    dataset: datasetOfModel,
    limit,
  })
  .superRefine(({ amount, threshold }, context) => {
    if ((amount === undefined) !== (threshold === undefined)) return;
    const message = `give exactly one of amount and threshold, not ${amount === undefined ? "neither" : "both"}`;
    context.addIssue({ code: "custom", message, path: ["amount"] });
  });

export type PruneParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "prune",
  title: "Prune weights",
  description:
    "Makes the weights of least magnitude zero (unstructured, L1), in one layer at a time or over the whole network, and fine-tunes " +
    "the rest. Biases and batch normalization are left alone. The file shrinks when it is compressed; the speed stays the same.",
  params,
  models: { model: "base" },
  publishes: true,
  example: { model: "fashion-student@1", scope: "global", amount: 0.5, fineTune: { epochs: 2 } },
});
