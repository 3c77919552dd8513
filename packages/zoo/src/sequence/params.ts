/** Parameters that the families for sequences have in common. */
import { z } from "zod";

export const width = z
  .int()
  .min(1, "a layer must have at least 1 unit")
  .max(4096, "a layer must have at most 4096 units");

export const embedding = z
  .int()
  .min(1, "embedding must be at least 1")
  .max(4096, "embedding must be at most 4096")
  .default(32)
  .meta({ description: "Numbers that stand for a token, where the samples are tokens." });

export const dropout = z
  .number()
  .min(0, "dropout must be at least 0")
  .max(0.9, "dropout must be at most 0.9")
  .default(0)
  .meta({ description: "Share of the features before the logits that is left out at a training step." });

/** Parameters of the families of stacked recurrent layers. */
export const recurrentParams = z.strictObject({
  embedding,
  units: z
    .array(width)
    .min(1, "units must have at least 1 layer")
    .max(8, "units must have at most 8 layers")
    .default([64])
    .meta({ description: "Units of each recurrent layer." }),
  dropout,
});
