import { z } from "zod";
import { defineFamily } from "../../contracts.ts";
import { images } from "../../samples.ts";

export const family = defineFamily({
  name: "resnet",
  title: "Residual network",
  description:
    "Residual network for small images [height, width, channels] (He et al., 1512.03385, section 4.2): a convolution, three stages of residual " +
    "blocks, of which the later two halve the image and double the filters, the average, a linear layer. By default the ResNet-8 of MLPerf Tiny.",
  params: z.strictObject({
    depth: z
      .int()
      .min(8, "depth must be at least 8")
      .max(110, "depth must be at most 110")
      .refine((depth) => depth % 6 === 2, "depth must be 6n + 2, for n blocks a stage: 8, 14, 20, 26, 32 and so on")
      .default(8)
      .meta({ description: "Layers with weights, 6n + 2 for n blocks a stage: 8, 14, 20, 32, 56." }),
    filters: z
      .int()
      .min(1, "filters must be at least 1")
      .max(512, "filters must be at most 512")
      .default(16)
      .meta({ description: "Filters of the first stage; the second has twice, the third four times as many." }),
    shortcut: z
      .enum(["projection", "padding"], { error: "shortcut must be projection or padding" })
      .default("projection")
      .meta({
        description:
          "What leads around a block that changes the shape: a convolution of 1 x 1, or every second row and column with zeros for the new channels, without parameters.",
      }),
  }),
  takes: images,
  examples: [
    { params: { filters: 4 }, inputShape: [8, 8, 1] },
    { params: { filters: 4, shortcut: "padding" }, inputShape: [8, 8, 1] },
  ],
});
