export { exportOnnx, type ExportOptions } from "./export/export.ts";
export { analyse, type ModelAnalysis } from "./analyse.ts";
export { quantizeOnnx, type LayerReport, type QuantizedModel, type QuantizeOptions } from "./quantize/quantize.ts";
export type { CalibrationMethod } from "./quantize/calibrators.ts";
