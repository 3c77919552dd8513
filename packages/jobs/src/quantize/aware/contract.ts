import { trainingSettings } from "@whittle/contracts";
import { z } from "zod";

// Averages of the weights would be no integers.
const { ema: _averages, ...settings } = trainingSettings.shape;

/** Settings of a quantization-aware training. Zod only: the API and the CLI load this. */
export const awareTraining = z.strictObject({
  quantizer: z
    .enum(["ste", "lsq"], { error: "quantizer must be ste or lsq" })
    .default("lsq")
    .meta({
      description:
        "ste: the weights learn to live with the steps (scales) that quantizing without training takes; lsq: the steps are learned too " +
        "(Esser et al., arXiv 1902.08153).",
    }),
  recovery: z.enum(["labels", "distill"], { error: "recovery must be labels or distill" }).default("labels").meta({
    description: "What training learns from: the labels, or those and the answers of the model before quantizing.",
  }),
  ...settings,
  precision: z
    .literal("float32", { error: "must be float32: bfloat16 would round again what training rounds to integers" })
    .default("float32"),
  epochs: settings.epochs.default(3),
  optimizer: settings.optimizer.prefault({ type: "adam", learningRate: 0.0005 }),
});

export type AwareTraining = z.output<typeof awareTraining>;
