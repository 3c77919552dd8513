import { z } from "zod";
import { defineFamily } from "../../contracts.ts";
import { sequences } from "../../samples.ts";
import { dropout, width } from "../../sequence/params.ts";

export const family = defineFamily({
  name: "transformer",
  title: "Transformer encoder",
  description:
    "Blocks of self-attention and two dense layers, each behind a layer normalization (Vaswani et al., 1706.03762; pre-norm: Xiong et al., " +
    "2002.04745), and the mean over the steps: for token ids [steps], rows [steps, features], or images cut into patches " +
    "(Dosovitskiy et al., 2010.11929).",
  params: z
    .strictObject({
      width: width.default(64).meta({ description: "Numbers that stand for a step; a multiple of heads." }),
      heads: z
        .int()
        .min(1, "heads must be at least 1")
        .max(64, "heads must be at most 64")
        .default(4)
        .meta({ description: "Attention heads of each block." }),
      blocks: z
        .int()
        .min(1, "blocks must be at least 1")
        .max(48, "blocks must be at most 48")
        .default(2)
        .meta({ description: "Blocks one after the other." }),
      hidden: width.default(128).meta({ description: "Units of the first dense layer of a block." }),
      activation: z
        .enum(["relu", "gelu"], { error: "activation must be relu or gelu" })
        .default("relu")
        .meta({ description: "Activation of the first dense layer of a block." }),
      patch: z
        .int()
        .min(1, "patch must be at least 1")
        .max(64, "patch must be at most 64")
        .default(4)
        .meta({ description: "Height and width of the patches that an image is cut into." }),
      dropout,
    })
    .refine(({ width: numbers, heads }) => numbers % heads === 0, {
      path: ["width"],
      error: "width must be a multiple of heads",
    }),
  takes: sequences,
  examples: [
    { params: { width: 8, heads: 2, hidden: 8, blocks: 1 }, inputShape: [12], vocabulary: 20 },
    {
      params: { width: 8, heads: 2, hidden: 8, blocks: 2, activation: "gelu", dropout: 0.2, patch: 2 },
      inputShape: [8, 8, 1],
    },
  ],
});
