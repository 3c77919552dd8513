import { z } from "zod";
import { defineFamily } from "../../contracts.ts";

const units = z.int().min(1, "a layer must have at least 1 unit").max(8192, "a layer must have at most 8192 units");

export const family = defineFamily({
  name: "mlp",
  title: "Multilayer perceptron",
  description:
    "Dense layers on the flattened input; with one hidden layer of 128 units the 784-128-10 network for 28 x 28 images.",
  takes: {
    description: "vectors [features], rows [steps, features] or images [height, width, channels]",
    // Token ids are names, not quantities.
    include: ({ vocabulary }) => vocabulary === undefined,
  },
  params: z.strictObject({
    hidden: z
      .array(units)
      .max(16, "hidden must have at most 16 layers")
      .default([128])
      .meta({ description: "Units of each hidden layer; none gives logistic regression." }),
    activation: z
      .enum(["relu", "tanh", "sigmoid", "gelu"], { error: "activation must be relu, tanh, sigmoid or gelu" })
      .default("relu"),
    dropout: z
      .number()
      .min(0, "dropout must be at least 0")
      .max(0.9, "dropout must be at most 0.9")
      .default(0)
      .meta({ description: "Share of each hidden layer that is left out at a training step." }),
  }),
  products: ({ hidden }, { inputShape, classes }) => {
    const widths = [inputShape.reduce((product, size) => product * size, 1), ...hidden, classes];
    return widths.slice(1).map((width, layer) => width * (widths[layer] ?? 0));
  },
  examples: [
    { params: { hidden: [] }, inputShape: [8, 8, 1] },
    { params: { hidden: [16, 8], activation: "tanh", dropout: 0.2 }, inputShape: [8, 8, 1] },
    { params: { hidden: [16] }, inputShape: [12] },
  ],
});
