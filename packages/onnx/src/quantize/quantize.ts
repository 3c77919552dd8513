import { AppError, parse } from "@whittle/contracts";
import { z } from "zod";
import { decodeModel, encodeModel } from "../proto/model.ts";
import { elementCount } from "../proto/tensor.ts";
import { cpuInfo, needsReducedRange } from "../runtime/cpu.ts";
import { fusedOperators } from "../runtime/fused.ts";
import { calibrate, type CalibrationData } from "./calibrate.ts";
import { checkFused } from "./check-fused.ts";
import { planQuantization } from "./plan.ts";
import { rewriteAsQdq } from "./rewrite.ts";

const settings = z
  .object({
    bits: z.int().min(1).max(8).default(8),
    granularity: z.enum(["channel", "tensor"]).default("channel"),
    scheme: z.enum(["symmetric", "affine"]).default("symmetric"),
    calibrator: z.enum(["minmax", "percentile", "mse", "entropy"]).default("minmax"),
    reduceRange: z.boolean().optional(),
  })
  .refine(({ bits, scheme }) => bits > 1 || scheme === "symmetric", {
    path: ["bits"],
    error: "must be 2 to 8 with affine weights: of two levels one is zero, so every weight of one sign would be lost",
  });

export interface QuantizeOptions extends z.input<typeof settings> {
  calibration: CalibrationData;
}

/** What became of one layer's weights. */
export interface LayerReport {
  name: string;
  operator: string;
  weights: number;
  bits: number;
  /** Of the quantized weights, in decibels. */
  signalToNoise: number;
}

export interface QuantizedModel {
  model: Uint8Array<ArrayBuffer>;
  layers: LayerReport[];
  /** Operators of the graph that ONNX Runtime really runs, with their counts. */
  fused: Record<string, number>;
}

function checkCalibration({ inputs, shape }: CalibrationData): void {
  const size = elementCount(shape);
  if (inputs.length > 0 && Number.isInteger(inputs.length / size)) return;
  const message = `holds ${inputs.length} values, must hold one or more whole samples of [${shape.join(", ")}] (${size} values)`;
  throw new AppError("invalid_request", `The calibration data is not valid: inputs ${message}.`, {
    issues: [{ path: "calibration.inputs", message }],
  });
}

/**
 * Quantizes an ONNX model to static int8 (QDQ form): uint8 activations with calibrated ranges, int8 weights of 1 to 8 bits, int32 biases.
 * On a processor without VNNI weights keep to 7 bits, see {@link needsReducedRange}.
 * @throws AppError `invalid_request` for settings or calibration data that make no sense, `unsupported` when there is nothing to
 *   quantize or ONNX Runtime would not run the result with integer kernels.
 */
export async function quantizeOnnx(model: Uint8Array, options: QuantizeOptions): Promise<QuantizedModel> {
  const { calibration, ...rest } = options;
  const { calibrator, reduceRange, ...scheme } = parse(settings, rest, "The quantization");
  checkCalibration(calibration);
  const float = decodeModel(model);
  const plan = planQuantization(float.graph);
  if (plan.layers.length === 0) {
    throw new AppError("unsupported", "The model has no convolution or matrix product with constant float32 weights.");
  }
  const reduced = reduceRange ?? needsReducedRange(cpuInfo().flags);
  const bits = reduced ? Math.min(7, scheme.bits) : scheme.bits;
  const groups = [...new Set(plan.activations.values())];
  const params = await calibrate(float, groups, calibration, calibrator);
  const rewritten = rewriteAsQdq(float, plan, params, { ...scheme, bits });
  const bytes = encodeModel(rewritten.model);
  const fused = await fusedOperators(bytes);
  checkFused(
    plan.layers.map(({ node }) => node.opType),
    fused,
  );
  const layers = plan.layers.map(({ node, weight }, at) => ({
    name: node.name ?? node.output[0] ?? "",
    operator: node.opType,
    weights: elementCount(weight.dims),
    bits,
    signalToNoise: rewritten.weights[at]?.signalToNoise ?? 0,
  }));
  return { model: bytes, layers, fused };
}
