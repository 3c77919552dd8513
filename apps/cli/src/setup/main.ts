/** `npm run setup`, after the dependencies are there: native TensorFlow, Redis and data. */
import { Command } from "commander";
import { printError } from "../terminal/errors.ts";
import { setUp } from "./setup.ts";
import { readSettings } from "./settings.ts";

const { dataset, only } = new Command("npm run setup --")
  .description("fetch or build what is missing: native TensorFlow, Redis, data sets")
  .option("--dataset <name...>", "data sets to fetch beside the demo's", [])
  .option("--only <part...>", "nothing but these parts")
  .parse()
  .opts<{ dataset: string[]; only?: string[] }>();
try {
  process.exitCode = (await setUp(readSettings(), { datasets: dataset, ...(only && { only }) })) ? 0 : 1;
} catch (error) {
  process.exitCode = printError(error);
}
