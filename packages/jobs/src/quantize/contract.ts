import { defineJob, modelReference } from "@whittle/contracts";
import { z } from "zod";
import { datasetOfModel, limit } from "../shared/parameters.ts";

const calibration = z.strictObject({
  samples: z.int().min(1).max(100_000).default(512).meta({
    description: "How many training samples are run through the model to find the ranges of its activations.",
  }),
  method: z
    .enum(["minmax", "entropy", "percentile", "mse"])
    .default("minmax")
    .meta({ description: "How a range is chosen from the values seen: all of them, or cut where that loses least." }),
});

const fields = z.strictObject({
  model: modelReference.meta({ description: "The model to quantize; one that is not quantized yet." }),
  bits: z.int().min(1).max(8).default(8).meta({ description: "Bits of a weight; activations always have 8." }),
  granularity: z
    .enum(["channel", "tensor"])
    .default("channel")
    .meta({ description: "One scale for each output channel of a weight, or one for the whole weight." }),
  scheme: z.enum(["symmetric", "affine"]).default("symmetric").meta({
    description: "Weights with the zero point at 0, or anywhere in the range.",
  }),
  calibration: calibration.prefault({}).meta({ description: "How the ranges of the activations are found." }),
  dataset: datasetOfModel,
  limit,
});

const params = fields.refine(({ bits, scheme }) => bits > 1 || scheme === "symmetric", {
  error: "1 bit needs scheme symmetric: with affine, one of the two levels would have to be zero",
  path: ["bits"],
});

export type QuantizeParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "quantize",
  title: "Quantize to integers",
  description:
    "Turns weights and activations into integers, Q(x) = round(x / scale) + zeroPoint, with ranges found on training samples, and " +
    "exports an ONNX model that ONNX Runtime runs in integer arithmetic. A job whose model would not run so fails.",
  params,
  models: { model: "base" },
  publishes: true,
  example: { model: "fashion-student@1", bits: 8, granularity: "channel" },
});
