import { trainingSettings } from "@whittle/contracts";
import { z } from "zod";
import { base } from "../common.ts";

export const l1 = z
  .strictObject({
    // Optional first, so that a job that names no method is one of this method.
    method: z.literal("l1").optional().default("l1").meta({ description: "Weights of least magnitude become zero." }),
    ...base,
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
  })
  .superRefine(({ amount, threshold }, context) => {
    if ((amount === undefined) !== (threshold === undefined)) return;
    const message = `give exactly one of amount and threshold, not ${amount === undefined ? "neither" : "both"}`;
    context.addIssue({ code: "custom", message, path: ["amount"] });
  });

export type L1Params = z.infer<typeof l1>;
