import { z } from "zod";
import type { QuantParams } from "./affine.ts";
import type { RoundWeights } from "./rounding.ts";

export const settings = z
  .object({
    method: z.enum(["static", "dynamic", "weights", "float16"]).default("static"),
    bits: z.int().min(1).max(8).default(8),
    granularity: z.enum(["channel", "tensor", "block"]).default("channel"),
    blockSize: z.literal([16, 32, 64, 128, 256]).default(32),
    scheme: z.enum(["symmetric", "affine"]).default("symmetric"),
    calibrator: z.enum(["minmax", "percentile", "mse", "entropy"]).default("minmax"),
    reduceRange: z.boolean().optional(),
    biasCorrection: z.boolean().default(false),
  })
  .refine(({ bits, scheme }) => bits > 1 || scheme === "symmetric", {
    path: ["bits"],
    error: "must be 2 to 8 with affine weights: of two levels one is zero, so every weight of one sign would be lost",
  })
  .refine(
    ({ granularity, method, scheme }) => granularity !== "block" || (method === "weights" && scheme === "symmetric"),
    {
      path: ["granularity"],
      error: "must be channel or tensor, unless method is weights and scheme symmetric: integer kernels take no blocks",
    },
  );

export type Settings = z.output<typeof settings>;

/** The numbers that a static quantization goes by. */
export interface QuantizationParameters {
  /** Every activation that becomes uint8, with the one whose scale and zero point it shares, which may be itself. */
  groups: ReadonlyMap<string, string>;
  /** Scale and zero point of each that has its own. */
  activations: ReadonlyMap<string, QuantParams>;
  /** The scales of the weights, by the names of their tensors: one for each output channel, or one in all. */
  scales: ReadonlyMap<string, Float32Array>;
}

export interface QuantizerOptions extends z.input<typeof settings> {
  /** Bits of single layers, by their names, in the place of `bits`; "float" leaves a layer as it is. */
  layers?: Readonly<Record<string, number | "float">>;
  /** Rounds weights otherwise than to the nearest integer. */
  round?: RoundWeights;
  /** What is known already, as after a quantization-aware training; the rest is found as usual. */
  given?: Partial<Pick<QuantizationParameters, "activations" | "scales">>;
}
