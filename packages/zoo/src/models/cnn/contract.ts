import { z } from "zod";
import { defineFamily } from "../../contracts.ts";
import { images } from "../../samples.ts";

const channels = z
  .int()
  .min(1, "a layer must have at least 1 filter")
  .max(1024, "a layer must have at most 1024 filters");

export const family = defineFamily({
  name: "cnn",
  title: "Convolutional network",
  description:
    "Blocks of convolution, ReLU and 2 x 2 max pooling, then a dense layer: for images [height, width, channels].",
  params: z.strictObject({
    filters: z
      .array(channels)
      .min(1, "filters must have at least 1 block")
      .max(8, "filters must have at most 8 blocks")
      .default([32, 64])
      .meta({ description: "Filters of each block; a block halves height and width." }),
    kernel: z
      .int()
      .min(1, "kernel must be at least 1")
      .max(11, "kernel must be at most 11")
      .default(3)
      .meta({ description: "Height and width of the filters." }),
    dense: z
      .int()
      .min(0, "dense must be at least 0")
      .max(8192, "dense must be at most 8192")
      .default(128)
      .meta({ description: "Units of the dense layer before the logits; 0 leaves it out." }),
    dropout: z
      .number()
      .min(0, "dropout must be at least 0")
      .max(0.9, "dropout must be at most 0.9")
      .default(0.25)
      .meta({ description: "Share of the features before the logits that is left out at a training step." }),
    batchNorm: z.boolean().default(false).meta({ description: "Normalize each convolution over the batch." }),
  }),
  takes: images,
  products: ({ filters, kernel, dense }, { inputShape: [height = 0, width = 0, depth = 0], classes }) => {
    const depths = [depth, ...filters];
    const pixels = (block: number) => Math.floor(height / 2 ** block) * Math.floor(width / 2 ** block);
    const convolutions = filters.map((made, block) => pixels(block) * kernel ** 2 * (depths[block] ?? 0) * made);
    const features = pixels(filters.length) * (depths.at(-1) ?? 0);
    return [...convolutions, ...(dense > 0 ? [features * dense, dense * classes] : [features * classes])];
  },
  examples: [
    { params: { filters: [4, 8, 8], dense: 0, dropout: 0 }, inputShape: [8, 8, 1] },
    { params: { filters: [4], batchNorm: true, dense: 16 }, inputShape: [8, 8, 1] },
  ],
});
