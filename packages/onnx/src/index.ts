export { exportOnnx, exportTraced, type ExportOptions } from "./export/export.ts";
export { inOrder, readTopology, type LayerCall, type Topology } from "./export/topology.ts";
export { analyse, type ModelAnalysis } from "./analyse.ts";
export { importOnnx, type ImportedModel, type ImportOptions } from "./import/import.ts";
export { quantizeOnnx, type QuantizeOptions } from "./quantize/quantize.ts";
export { Quantizer, type LayerReport, type QuantizedModel } from "./quantize/quantizer.ts";
export type { QuantizationParameters, QuantizerOptions } from "./quantize/settings.ts";
export type { RoundingProblem } from "./quantize/rounding.ts";
export type { CalibrationMethod } from "./quantize/calibrators.ts";
