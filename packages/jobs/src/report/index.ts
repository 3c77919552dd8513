/** What a person reads of a published model. Needs neither TensorFlow nor ONNX Runtime. */
export { reportChart } from "./chart.ts";
export { reportMarkdown, type Published } from "./markdown.ts";
