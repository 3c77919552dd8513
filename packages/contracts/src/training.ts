import { z } from "zod";

const positive = (max: number, what: string) =>
  z.number().gt(0, `${what} must be greater than 0`).max(max, `${what} must be at most ${max}`);

/** A decay rate: how much of the past is kept at every step. */
const decay = (name: string) => z.number().min(0, `${name} must be at least 0`).lt(1, `${name} must be below 1`);

const learningRate = positive(10, "learningRate").meta({
  description: "Step size; the schedule multiplies it. With one-cycle the largest that is reached.",
});

const sgd = z.strictObject({
  type: z.literal("sgd"),
  learningRate: learningRate.default(0.01),
});

const momentum = z.strictObject({
  type: z.literal("momentum"),
  learningRate: learningRate.default(0.01),
  momentum: decay("momentum").default(0.9),
  nesterov: z.boolean().default(false).meta({ description: "Look ahead along the velocity (Nesterov)." }),
});

const adamFields = {
  learningRate: learningRate.default(0.001),
  beta1: decay("beta1").default(0.9).meta({ description: "Decay of the mean of the gradients." }),
  beta2: decay("beta2").default(0.999).meta({ description: "Decay of the mean of their squares." }),
  epsilon: positive(1, "epsilon").default(1e-7).meta({ description: "Keeps the division finite." }),
};

const adam = z.strictObject({ type: z.literal("adam"), ...adamFields });

const adamw = z.strictObject({
  type: z.literal("adamw"),
  ...adamFields,
  weightDecay: z
    .number()
    .min(0, "weightDecay must be at least 0")
    .max(1, "weightDecay must be at most 1")
    .default(0.004)
    .meta({ description: "Share of every weight that is taken off at each step, times the learning rate." }),
});

/** How the weights follow the gradients; the update rules are those of Keras. */
export const optimizer = z.discriminatedUnion("type", [sgd, momentum, adam, adamw], {
  error: "type must be one of sgd, momentum, adam, adamw",
});

const warmupEpochs = z
  .number()
  .min(0, "warmupEpochs must be at least 0")
  .max(1000, "warmupEpochs must be at most 1000")
  .default(0)
  .meta({ description: "The rate rises in a line from near 0 over this many epochs (fractions allowed)." });

const factorOf = (name: string) =>
  z.number().min(1, `${name} must be at least 1`).max(1e9, `${name} must be at most 1000000000`);

/** How the learning rate changes over the training. */
export const schedule = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("constant"), warmupEpochs }),
    z.strictObject({
      type: z.literal("step"),
      warmupEpochs,
      everyEpochs: positive(10_000, "everyEpochs").default(1),
      factor: positive(1, "factor").default(0.1).meta({ description: "What the rate is multiplied by each time." }),
    }),
    z.strictObject({
      type: z.literal("cosine"),
      warmupEpochs,
      finalFraction: z
        .number()
        .min(0, "finalFraction must be at least 0")
        .max(1, "finalFraction must be at most 1")
        .default(0)
        .meta({ description: "Share of the rate that is left at the end." }),
    }),
    z.strictObject({
      type: z.literal("one-cycle"),
      warmupShare: z
        .number()
        .min(0, "warmupShare must be at least 0")
        .max(0.9, "warmupShare must be at most 0.9")
        .default(0.3)
        .meta({ description: "Share of all steps in which the rate rises, along half a cosine." }),
      divFactor: factorOf("divFactor").default(25).meta({
        description: "The rate begins at learningRate / divFactor.",
      }),
      finalDivFactor: factorOf("finalDivFactor").default(10_000).meta({
        description: "It ends, along half a cosine, at its first value / finalDivFactor.",
      }),
    }),
  ],
  { error: "type must be one of constant, step, cosine, one-cycle" },
);

/** Limits on the gradients; where both are given, `value` is applied first. */
export const clip = z.strictObject({
  value: positive(1e6, "value").optional().meta({ description: "Every component is cut to [-value, value]." }),
  norm: positive(1e6, "norm")
    .optional()
    .meta({ description: "All gradients are scaled down together when their joint L2 norm is above this." }),
});

export const earlyStopping = z.strictObject({
  patience: z
    .int()
    .min(1, "patience must be at least 1")
    .max(10_000, "patience must be at most 10000")
    .default(3)
    .meta({ description: "Epochs without improvement before training stops." }),
  minDelta: z
    .number()
    .min(0, "minDelta must be at least 0")
    .max(1, "minDelta must be at most 1")
    .default(0)
    .meta({ description: "An improvement must be larger than this." }),
});

/** The moving average of the weights that Keras' optimizers keep with `use_ema`. */
export const ema = z.strictObject({
  decay: decay("decay").default(0.99).meta({ description: "Share of the average that is kept at every step." }),
});

const pixels = (name: string) =>
  z.int().min(1, `${name} must be at least 1`).max(256, `${name} must be at most 256`).optional();

/** Random changes of the training images, drawn anew for every sample at every step. */
export const augment = z.strictObject({
  flip: z
    .enum(["horizontal", "vertical", "both"], { error: "flip must be horizontal, vertical or both" })
    .optional()
    .meta({ description: "Mirrors every second image on average; with both, each way by itself." }),
  shift: pixels("shift").meta({
    description: "Moves each image by up to this many pixels along each axis; what comes in is 0.",
  }),
  cutout: pixels("cutout").meta({ description: "Side of a square in each image that is set to 0 (pixels)." }),
  noise: positive(100, "noise")
    .optional()
    .meta({ description: "Standard deviation of normal noise, in the units that the model sees." }),
});

const precision = z.enum(["float32", "mixed_bfloat16"], { error: "precision must be float32 or mixed_bfloat16" });

/** Everything about a training but the model, the data and the loss. Job kinds that train spread `trainingSettings.shape`. */
export const trainingSettings = z.strictObject({
  epochs: z
    .int()
    .min(1, "epochs must be at least 1")
    .max(10_000, "epochs must be at most 10000")
    .default(5)
    .meta({ description: "How often all training samples are gone through." }),
  batchSize: z
    .int()
    .min(1, "batchSize must be at least 1")
    .max(65_536, "batchSize must be at most 65536")
    .default(128)
    .meta({ description: "Samples that are computed at once; of one step, unless `accumulate` is above 1." }),
  accumulate: z
    .int()
    .min(1, "accumulate must be at least 1")
    .max(1024, "accumulate must be at most 1024")
    .default(1)
    .meta({
      description: "Batches whose gradients make one step together: as a batch so much larger, in the memory of one.",
    }),
  precision: precision.default("float32").meta({
    description:
      "mixed_bfloat16: matrices are multiplied in bfloat16, all else, the weights above all, stays float32 (arXiv 1905.12322): " +
      "faster for large layers and batches on processors that have it.",
  }),
  optimizer: optimizer.prefault({ type: "adam" }).meta({ description: "How the weights follow the gradients." }),
  schedule: schedule
    .prefault({ type: "constant" })
    .meta({ description: "How the learning rate changes over the training." }),
  clip: clip.default({}).meta({ description: "Limits on the gradients; none unless given." }),
  ema: ema.optional().meta({
    description:
      "Judge each epoch by, and end with, a moving average of the weights. Left out: the weights themselves.",
  }),
  augment: augment.optional().meta({
    description: "Random changes of the training images; never of those that judge the epochs. Left out: none.",
  }),
  validationSplit: z
    .number()
    .min(0, "validationSplit must be at least 0")
    .max(0.9, "validationSplit must be at most 0.9")
    .default(0.1)
    .meta({
      description:
        "Share of the training samples that is kept out to judge each epoch; the same ones whatever the seed.",
    }),
  monitor: z.enum(["accuracy", "loss"], { error: "monitor must be accuracy or loss" }).default("accuracy").meta({
    description: "What early stopping and the best epoch go by; on the validation samples where there are any.",
  }),
  earlyStopping: earlyStopping.optional().meta({ description: "Left out: all epochs are run." }),
  restoreBest: z.boolean().default(true).meta({
    description: "Return to the weights of the best epoch. Without validation samples the last epoch's stay.",
  }),
  seed: z
    .int()
    .min(0, "seed must be at least 0")
    .max(2_147_483_647, "seed must be at most 2147483647")
    .default(1)
    .meta({
      description: "Fixes the first weights, the order of the batches, the dropout and the changes of the images.",
    }),
});

/** How steps of a training run, and why: as one graph each, as one that XLA compiles, or op by op. */
const stepExecution = z.object({
  mode: z.enum(["graph", "graph-xla", "eager"]),
  reason: z.string(),
  /** In which matrices are multiplied: float32 where the machine lacks what was asked for. */
  precision,
});

export const execution = stepExecution.extend({
  /**
   * The steps before, where an attempt on another machine ran them in another way, in their order; `until` counts the steps of the
   * training that were done then.
   */
  earlier: z
    .array(stepExecution.extend({ until: z.int().positive() }))
    .min(1)
    .optional(),
});

export type Precision = z.infer<typeof precision>;
export type StepExecution = z.infer<typeof stepExecution>;
export type Execution = z.infer<typeof execution>;
export type Optimizer = z.infer<typeof optimizer>;
export type Schedule = z.infer<typeof schedule>;
export type Clip = z.infer<typeof clip>;
export type Ema = z.infer<typeof ema>;
export type Augment = z.infer<typeof augment>;
export type EarlyStopping = z.infer<typeof earlyStopping>;
export type TrainingSettings = z.infer<typeof trainingSettings>;
