export { exportOnnx, type ExportOptions } from "./export/export.ts";
