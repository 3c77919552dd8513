import type { CalibrationData } from "./statistics.ts";
import { Quantizer, type QuantizedModel } from "./quantizer.ts";
import type { QuantizerOptions } from "./settings.ts";

export interface QuantizeOptions extends QuantizerOptions {
  calibration: CalibrationData;
  /** Makes the ranges of neighbouring layers alike first. */
  equalize?: boolean;
}

/** Quantizes an ONNX model once: see {@link Quantizer.quantize}. */
export async function quantizeOnnx(model: Uint8Array, options: QuantizeOptions): Promise<QuantizedModel> {
  const { calibration, equalize, ...rest } = options;
  return await new Quantizer(model, calibration, { equalize }).quantize(rest);
}
