import { defineJob, modelReference, mustBe } from "@whittle/contracts";
import { z } from "zod";
import { datasetOfModel, limit } from "../shared/parameters.ts";
import { awareTraining } from "./aware/contract.ts";

const calibration = z.strictObject({
  samples: z.int().min(1).max(100_000).default(512).meta({
    description: "How many training samples are run through the model to find the ranges of its activations.",
  }),
  method: z
    .enum(["minmax", "entropy", "percentile", "mse", "auto"])
    .default("minmax")
    .meta({
      description:
        "How a range is chosen from the values seen: all of them, or cut where that loses least; auto tries each and keeps the one whose " +
        "outputs differ least on held-out training samples.",
    }),
});

const fields = z.strictObject({
  model: modelReference.meta({ description: "The model to quantize; one that is not quantized yet." }),
  method: z
    .enum(["static", "aware", "dynamic", "weights", "float16"])
    .default("static")
    .meta({
      description:
        "static: integer arithmetic with ranges found beforehand; aware: the same after training on with everything rounded as it will be; dynamic: the same for dense layers alone, with ranges found at every call; " +
        "weights: only the file holds integers, those of recurrent layers too, which the methods before leave in float; float16: the file holds half precision.",
    }),
  bits: z
    .union([z.int().min(1).max(8), z.literal("auto")], {
      error: ({ input }) => mustBe('a whole number from 1 to 8, or "auto"', input),
    })
    .default(8)
    .meta({
      description:
        "Bits of a weight; activations always have 8. auto tries 8 to 1 and keeps the fewest that stay inside the tolerance and still make the file smaller by a hundredth.",
    }),
  granularity: z
    .enum(["channel", "tensor", "block"])
    .default("channel")
    .meta({
      description:
        "One scale for each output channel of a weight, one for the whole weight, or one for every blockSize inputs of each channel " +
        "(method weights; dense layers of 4 bits then run as MatMulNBits).",
    }),
  blockSize: z
    .literal([16, 32, 64, 128, 256])
    .default(32)
    .meta({ description: "Inputs that share a scale, with granularity block." }),
  scheme: z.enum(["symmetric", "affine"]).default("symmetric").meta({
    description: "Weights with the zero point at 0, or anywhere in the range.",
  }),
  rounding: z.enum(["nearest", "adaround"]).default("nearest").meta({
    description:
      "To the nearest integer, or up and down as keeps each layer's outputs (AdaRound): slower, better below 8 bits.",
  }),
  biasCorrection: z.boolean().default(false).meta({
    description: "Give each channel the mean output again that it had before its weights were quantized.",
  }),
  equalize: z.boolean().default(false).meta({
    description:
      "Make the weight ranges of neighbouring layers alike first (cross-layer equalization): for one scale a tensor, and depthwise layers.",
  }),
  tolerance: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .meta({
      description:
        "By how much accuracy on held-out training samples may fall (0.01: one point). Layers then stay in more bits or in float, the most " +
        "sensitive first, until it holds.",
    }),
  averageBits: z
    .number()
    .min(1)
    .max(8)
    .optional()
    .meta({
      description:
        "In the place of bits, how many a weight may take in the file on average (4.5): each layer is quantized alone to every number of bits and judged on " +
        "held-out training samples, and then those that lose most by it get more bits than the others.",
    }),
  target: z
    .enum(["worker", "any", "vnni"])
    .default("worker")
    .meta({
      description:
        "The processors that it will run on: as the worker's; any (weights keep to 7 bits, because x86 without VNNI saturates); only ones " +
        "with VNNI, or ARM.",
    }),
  calibration: calibration.prefault({}).meta({ description: "How the ranges of the activations are found." }),
  training: awareTraining.optional().meta({ description: "How to train, with method aware." }),
  dataset: datasetOfModel,
  limit,
});

type Fields = z.output<typeof fields>;

const leftOut = new Set<unknown>([undefined, false, "nearest"]);

/** Settings that don't go together: at which field, why, and when. */
const conflicts: { path: string[]; error: string; when: (fields: Fields) => boolean }[] = [
  {
    path: ["bits"],
    error: "1 bit needs scheme symmetric: with affine, one of the two levels would have to be zero",
    when: ({ bits, scheme }) => bits === 1 && scheme === "affine",
  },
  {
    path: ["bits"],
    error: "must be left out with method float16, which has 16",
    when: ({ method, bits }) => method === "float16" && bits !== 8,
  },
  {
    path: ["granularity"],
    error: "block needs method weights and scheme symmetric: integer kernels take one scale a channel or a tensor",
    when: ({ granularity, method, scheme }) =>
      granularity === "block" && (method !== "weights" || scheme !== "symmetric"),
  },
  {
    path: ["rounding"],
    error: "adaround needs at least 2 bits, one scale a channel or a tensor, and a method other than float16",
    when: ({ rounding, bits, granularity, method }) =>
      rounding === "adaround" && (bits === 1 || granularity === "block" || method === "float16"),
  },
  {
    path: ["tolerance"],
    error: "must be left out with method float16, which has no layers to choose among",
    when: ({ tolerance, method }) => tolerance !== undefined && method === "float16",
  },
  {
    path: ["bits"],
    error: "must be left out with averageBits, which chooses the bits of each layer",
    when: ({ bits, averageBits }) => averageBits !== undefined && bits !== 8,
  },
  {
    path: ["tolerance"],
    error:
      "must be left out with averageBits: layers get more bits by the one until the accuracy holds, by the other until the budget is used",
    when: ({ tolerance, averageBits }) => averageBits !== undefined && tolerance !== undefined,
  },
  {
    path: ["averageBits"],
    error:
      "must be left out with method float16, which has 16 bits, and method aware, which learns for the same bits in all layers",
    when: ({ averageBits, method }) => averageBits !== undefined && (method === "float16" || method === "aware"),
  },
  {
    path: ["averageBits"],
    error: "must be at least 2 with scheme affine or rounding adaround, which begin at 2 bits",
    when: ({ averageBits = 8, scheme, rounding }) =>
      averageBits < 2 && (scheme === "affine" || rounding === "adaround"),
  },
  {
    path: ["granularity"],
    error: "must be channel or tensor with averageBits: the scales of blocks take bits that the average does not count",
    when: ({ averageBits, granularity }) => averageBits !== undefined && granularity === "block",
  },
  {
    path: ["calibration", "method"],
    error: "auto needs method static: the others have no ranges to choose",
    when: ({ calibration: { method: calibrator }, method }) => calibrator === "auto" && method !== "static",
  },
  {
    path: ["training"],
    error: "must be left out, or method must be aware",
    when: ({ training, method }) => training !== undefined && method !== "aware",
  },
  {
    path: ["bits"],
    error: "must be 2 to 8 with method aware, which learns for a number of bits that is known",
    when: ({ bits, method }) => method === "aware" && (bits === "auto" || bits === 1),
  },
  {
    path: ["scheme"],
    error: "must be symmetric with method aware",
    when: ({ scheme, method }) => method === "aware" && scheme !== "symmetric",
  },
  ...(["rounding", "biasCorrection", "equalize", "tolerance"] as const).map((field) => ({
    path: [field],
    error: "must be left out with method aware: training does what it is for",
    when: (all: Fields) => all.method === "aware" && !leftOut.has(all[field]),
  })),
];

const params = fields.superRefine((value, context) => {
  for (const { path, error, when } of conflicts) {
    if (when(value)) context.addIssue({ code: "custom", path, message: error });
  }
});

export type QuantizeParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "quantize",
  title: "Quantize to integers",
  description:
    "Turns weights and activations into integers, Q(x) = round(x / scale) + zeroPoint, with ranges found on training samples, and " +
    "exports an ONNX model that ONNX Runtime runs in integer arithmetic, or whose file alone is smaller. A job whose model would not run " +
    "so fails.",
  params,
  models: { model: "base" },
  publishes: true,
  example: { model: "fashion-student@1", bits: 8, granularity: "channel" },
});
