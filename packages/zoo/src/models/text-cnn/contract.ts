import { z } from "zod";
import { defineFamily } from "../../contracts.ts";
import { sequences } from "../../samples.ts";
import { dropout, embedding } from "../../sequence/params.ts";

const kernel = z.int().min(1, "a kernel must be at least 1 step").max(64, "a kernel must be at most 64 steps");

export const family = defineFamily({
  name: "text-cnn",
  title: "Convolutional network for text",
  description:
    "Convolutions of several widths side by side over the steps, the largest value of each filter, a linear layer (Kim, 1408.5882): " +
    "for token ids [steps], rows [steps, features], or images row by row.",
  params: z.strictObject({
    embedding,
    kernels: z
      .array(kernel)
      .min(1, "kernels must have at least 1 width")
      .max(16, "kernels must have at most 16 widths")
      .default([3, 4, 5])
      .meta({ description: "Widths of the convolutions, in steps." }),
    filters: z
      .int()
      .min(1, "filters must be at least 1")
      .max(4096, "filters must be at most 4096")
      .default(64)
      .meta({ description: "Filters of each width." }),
    dropout,
  }),
  takes: sequences,
  examples: [
    { params: { embedding: 6, filters: 4 }, inputShape: [12], vocabulary: 20 },
    { params: { kernels: [3], filters: 8, dropout: 0.2 }, inputShape: [8, 4] },
  ],
});
