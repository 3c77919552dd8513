import { trainingSettings } from "@whittle/contracts";
import { z } from "zod";
import { base } from "../common.ts";

/** What a share can be taken of. */
const quantities = ["channels", "macs", "parameters", "latency"] as const;

export const structured = z
  .strictObject({
    method: z.literal("structured").meta({ description: "Whole channels go, and the model gets smaller." }),
    ...base,
    score: z
      .enum(["l1", "l2", "batch-norm", "taylor", "random"], {
        error: "score must be l1, l2, batch-norm, taylor or random",
      })
      .default("l2")
      .meta({
        description:
          "What a channel is worth: the norm of its weights (l1, l2), |gamma| of its batch normalization, the first-order change of " +
          "the loss without it (taylor), or nothing at all (random, a control).",
      }),
    scope: z
      .enum(["local", "global"])
      .default("local")
      .meta({ description: "Take the same share of each layer, or compare the channels of all layers." }),
    amount: z
      .number()
      .gt(0, "amount must be greater than 0")
      .lt(1, "amount must be below 1")
      .meta({ description: "Share to take away." }),
    of: z
      .enum(quantities, { error: `of must be one of ${quantities.join(", ")}` })
      .default("channels")
      .meta({
        description:
          "What `amount` is a share of. Latency is measured on this machine (ONNX Runtime, batch 1), so that two runs may differ.",
      }),
    roundTo: z.int().min(1, "roundTo must be at least 1").max(256, "roundTo must be at most 256").default(8).meta({
      description:
        "Each layer keeps a multiple of this many channels; half as many, and so on, in a layer of fewer than two multiples.",
    }),
    rounds: z
      .int()
      .min(1, "rounds must be at least 1")
      .max(50, "rounds must be at most 50")
      .default(1)
      .meta({ description: "Take the channels away in this many equal parts, fine-tuning after each." }),
    recovery: z.enum(["labels", "distill"], { error: "recovery must be labels or distill" }).default("labels").meta({
      description: "What fine-tuning learns from: the labels, or those and the answers of the model before pruning.",
    }),
    samples: z
      .int()
      .min(1, "samples must be at least 1")
      .max(65_536, "samples must be at most 65536")
      .default(512)
      .meta({ description: "Training samples that the taylor score is computed on." }),
    seed: z
      .int()
      .min(0, "seed must be at least 0")
      .max(2_147_483_647, "seed must be at most 2147483647")
      .default(1)
      .meta({ description: "Fixes the random score." }),
    fineTune: z
      .strictObject(trainingSettings.shape)
      .optional()
      .meta({ description: "Train on after each round; without it, the channels are only removed." }),
    sensitivity: z.boolean().default(false).meta({
      description: "Report the accuracy on held-out samples when each layer alone loses more and more channels.",
    }),
  })
  .superRefine(({ rounds, recovery, fineTune }, context) => {
    if (fineTune) return;
    const needs = (field: string) =>
      context.addIssue({ code: "custom", message: `${field} needs fineTune`, path: [field] });
    if (rounds > 1) needs("rounds");
    if (recovery === "distill") needs("recovery");
  });

export type StructuredParams = z.infer<typeof structured>;
