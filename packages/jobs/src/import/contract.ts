import { defineJob, digest, preprocessing } from "@whittle/contracts";
import { datasetReference } from "@whittle/zoo/catalog";
import { z } from "zod";
import { limit } from "../shared/parameters.ts";

const params = z.strictObject({
  file: digest.meta({
    description:
      "The ONNX file, by the digest that POST /v1/uploads gave for it: one float input, one output [n, classes].",
  }),
  dataset: datasetReference.meta({
    description:
      "The data set that it is measured on, whose samples it takes and whose classes it tells apart, in their order.",
  }),
  preprocessing: preprocessing.optional().meta({
    description:
      "What the model expects of a raw value x: x * scale + offset; by default as the data set says (pixels: scale 1/255, offset 0).",
  }),
  channels: z.enum(["last", "first"]).optional().meta({
    description:
      "Where the model's input has its channels, for a shape that does not tell, such as [n, 8, 8, 8]; by default last, with a warning.",
  }),
  limit,
});

export type ImportParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "import",
  title: "Import a finished ONNX model",
  description:
    "Takes a classifier that PyTorch, Keras or another tool exported as ONNX, brings it into the form that is quantized and served " +
    "here, checks that it answers as the file does, and measures it on a data set.",
  params,
  models: {},
  uploads: ["file"],
  publishes: true,
  example: { file: `sha256:${"0".repeat(64)}`, dataset: "fashion-mnist" },
});
