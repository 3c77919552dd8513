import { trainingSettings } from "@whittle/contracts";
import { z } from "zod";
import { base } from "../common.ts";

const scope = z.enum(["global", "local", "output"], { error: "scope must be global, local or output" }).meta({
  description: "Compare weights over the whole network, within each layer, or within each output of a layer.",
});

const samples = z
  .int()
  .min(1, "samples must be at least 1")
  .max(65_536, "samples must be at most 65536")
  .default(512)
  .meta({ description: "Training samples that the score is computed on." });

const gradual = z
  .strictObject({
    initial: z
      .number()
      .min(0, "initial must be at least 0")
      .lt(1, "initial must be below 1")
      .default(0)
      .meta({ description: "Share that is zero at the first step." }),
    share: z
      .number()
      .gt(0, "share must be greater than 0")
      .max(1, "share must be at most 1")
      .default(0.75)
      .meta({ description: "Share of the steps in which it rises to `amount`; in the rest the weights recover." }),
    everySteps: z
      .int()
      .min(1, "everySteps must be at least 1")
      .max(1_000_000, "everySteps must be at most 1000000")
      .default(100)
      .meta({ description: "Steps from one choice of weights to the next." }),
  })
  .optional()
  .meta({
    description:
      "Make the weights zero little by little while fine-tuning, rather than all at once before. The weights are then those of the last epoch.",
  });

const common = {
  ...base,
  amount: z
    .number()
    .min(0, "amount must be at least 0")
    .lt(1, "amount must be below 1")
    .optional()
    .meta({ description: "Share of the weights to make zero: exactly round(n amount) of n that are compared." }),
  pattern: z
    .string()
    .regex(/^\d{1,3}:\d{1,3}$/, "pattern must be two numbers such as 2:4")
    .optional()
    .meta({
      description:
        "Keep the n best of every m weights that follow each other along a layer's inputs, written n:m: 2:4.",
    }),
  fineTune: z
    .strictObject(trainingSettings.shape)
    .optional()
    .meta({ description: "Train on afterwards, with the zeros kept; without it, the weights are only cut." }),
  rewind: z
    .enum(["none", "initial"], { error: "rewind must be none or initial" })
    .default("none")
    .meta({
      description:
        "initial: give the weights that are left the values that they had before training, and train again by the settings of fineTune " +
        "or else those of the model's own training. Only for a model of a train job.",
    }),
  sensitivity: z.boolean().default(false).meta({
    description: "Report the accuracy on held-out samples when each layer alone loses more and more weights.",
  }),
};

// The method is optional and this one the first, so that a job that names none is one of it.
export const l1 = z
  .strictObject({
    method: z.literal("l1").optional().default("l1").meta({ description: "Weights of least magnitude become zero." }),
    ...common,
    scope: scope.default("global"),
    threshold: z
      .number()
      .nonnegative()
      .optional()
      .meta({ description: "Make every weight zero whose magnitude is below this." }),
    gradual,
  })
  .superRefine(checkCut)
  .superRefine(checkGradual);

export const random = z
  .strictObject({
    method: z.literal("random").meta({ description: "Weights drawn by a seed become zero: a control." }),
    ...common,
    scope: scope.default("global"),
    seed: z
      .int()
      .min(0, "seed must be at least 0")
      .max(2_147_483_647, "seed must be at most 2147483647")
      .default(1)
      .meta({ description: "Fixes which weights are drawn." }),
  })
  .superRefine(checkCut);

export const snip = z
  .strictObject({
    method: z.literal("snip").meta({ description: "Weights whose loss would change least, |w dL/dw|, become zero." }),
    ...common,
    scope: scope.default("global"),
    samples,
  })
  .superRefine(checkCut);

export const wanda = z
  .strictObject({
    method: z
      .literal("wanda")
      .meta({ description: "Weights of least magnitude times norm of their input become zero." }),
    ...common,
    scope: scope.default("output"),
    samples,
  })
  .superRefine(checkCut);

export type UnstructuredParams =
  | z.infer<typeof l1>
  | z.infer<typeof random>
  | z.infer<typeof snip>
  | z.infer<typeof wanda>;

export type Gradual = NonNullable<z.infer<typeof gradual>>;

interface Cuts {
  amount?: number | undefined;
  threshold?: number | undefined;
  pattern?: string | undefined;
}

function checkCut(params: Cuts, context: z.RefinementCtx): void {
  const ways = "threshold" in params ? "amount, threshold and pattern" : "amount and pattern";
  const given = [params.amount, params.threshold, params.pattern].filter((cut) => cut !== undefined).length;
  const issue = (field: string, message: string) => context.addIssue({ code: "custom", message, path: [field] });
  if (given !== 1) issue("amount", `give exactly one of ${ways}, not ${given === 0 ? "none" : given}`);
  const [keep, of] = patternOf(params.pattern ?? "1:2");
  if (keep < 1 || keep >= of) issue("pattern", "pattern must keep at least one of its weights, and not all");
}

function checkGradual(
  params: Pick<z.infer<typeof l1>, "amount" | "gradual" | "fineTune" | "rewind">,
  context: z.RefinementCtx,
): void {
  const { amount, fineTune, rewind } = params;
  if (!params.gradual) return;
  const issue = (field: string, message: string) => context.addIssue({ code: "custom", message, path: [field] });
  if (!fineTune) issue("gradual", "gradual needs fineTune");
  if (fineTune?.earlyStopping) issue("fineTune.earlyStopping", "gradual pruning runs all its epochs: leave it out");
  if (amount === undefined || params.gradual.initial > amount) {
    issue("gradual", "gradual needs an amount that is not below its initial share");
  }
  if (rewind !== "none") issue("rewind", "the weights can't be rewound when they are pruned while training");
}

/** The n and m of "n:m". */
export function patternOf(pattern: string): [keep: number, of: number] {
  const [keep = 0, of = 0] = pattern.split(":").map(Number);
  return [keep, of];
}
