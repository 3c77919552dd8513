export { exportOnnx, type ExportOptions } from "./export/export.ts";
export { analyse, type ModelAnalysis } from "./analyse.ts";
