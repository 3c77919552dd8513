/** `npm run setup`, after the dependencies are there: native TensorFlow, Redis and data. */
import { parseArgs } from "node:util";
import { setUp } from "./setup.ts";
import { readSettings } from "./settings.ts";

const { values } = parseArgs({
  options: { dataset: { type: "string", multiple: true, default: [] }, only: { type: "string", multiple: true } },
});
process.exitCode = (await setUp(readSettings(), {
  datasets: values.dataset,
  ...(values.only && { only: values.only }),
}))
  ? 0
  : 1;
