import { z } from "zod";
import { defineFamily } from "../../contracts.ts";
import { images } from "../../samples.ts";

const side = z.int().min(1, "kernel must be at least 1 x 1").max(32, "kernel must be at most 32 x 32");

export const family = defineFamily({
  name: "ds-cnn",
  title: "Depthwise separable convolutional network",
  description:
    "A convolution that halves the image, then blocks of a depthwise and a 1 x 1 convolution (Zhang et al., Hello Edge, 1711.07128; MLPerf Tiny): for " +
    "images [height, width, channels], and for spectrograms [steps, bands, 1].",
  params: z.strictObject({
    filters: z
      .int()
      .min(1, "filters must be at least 1")
      .max(2048, "filters must be at most 2048")
      .default(64)
      .meta({ description: "Filters of every convolution." }),
    blocks: z
      .int()
      .min(1, "blocks must be at least 1")
      .max(32, "blocks must be at most 32")
      .default(4)
      .meta({ description: "Depthwise separable blocks." }),
    kernel: z.tuple([side, side], { error: "kernel must be [height, width]" }).default([3, 3]).meta({
      description: "Height and width of the first filters; [10, 4] in MLPerf Tiny, for 49 steps of 10 bands.",
    }),
    dropout: z
      .number()
      .min(0, "dropout must be at least 0")
      .max(0.9, "dropout must be at most 0.9")
      .default(0.2)
      .meta({ description: "Share of the features before the logits that is left out at a training step." }),
  }),
  takes: images,
  examples: [
    { params: { filters: 8, blocks: 1 }, inputShape: [8, 8, 1] },
    { params: { filters: 8, blocks: 2, kernel: [5, 3] }, inputShape: [13, 6, 1] },
  ],
});
