import { AppError, type Preprocessing } from "@whittle/contracts";
import type { ExplainParameters, InferInput, ServedModel, WhittleClient } from "@whittle/sdk";
import { Option, type Command } from "commander";
import { z } from "zod";
import { readConfig } from "../env.ts";
import { describe } from "../explain/describe.ts";
import { datasetOf, meanSample, testSample, type TestSample } from "../explain/samples.ts";
import { printJson } from "../terminal/json.ts";
import { createClient, readJson } from "./client.ts";
import { count, numberOf } from "./options.ts";
import { inputsOf } from "./tensor.ts";

interface Flags extends Pick<ExplainParameters, "output" | "patch" | "evaluations" | "seed"> {
  sample?: number;
  input?: string;
  class?: string;
  baseline?: "mean" | number;
  json?: true;
}

const whole = z.int().min(0);
const real = numberOf(z.number());

/** `explain`: which parts of an input make a served model answer what it answers. */
export function addExplain(program: Command): void {
  program
    .command("explain")
    .description("show which parts of an input make a served model answer what it answers (Shapley values)")
    .argument("<model>", "name, name@version or name@alias")
    .option("--sample <n>", "this test sample of the data set that the model was made on, from 0", numberOf(whole))
    .addOption(new Option("--input <json>", "one sample, as predict takes it: [[…]] or @file.json").conflicts("sample"))
    .option("--class <class>", "its label or index; by default the class that the model predicts")
    .addOption(new Option("--output <output>", "what is shared out").choices(["probability", "logit"]))
    .option("--patch <n>", "the side of a patch, or how many tokens or columns belong together", numberOf(count))
    .option("--evaluations <n>", "the most samples to run the model on (2000)", numberOf(count))
    .option(
      "--baseline <value>",
      "what stands for a part left out: a number as the model sees it, or mean, of the training samples",
      (text) => (text === "mean" ? text : real(text)),
    )
    .option("--seed <n>", "of the random orders (0)", numberOf(whole))
    .option("--json", "print the serving app's answer")
    .action(explain);
}

async function explain(model: string, { sample, input, json, baseline, ...options }: Flags): Promise<void> {
  const client = createClient();
  const served = await client.servedModel(model);
  const needsData = sample !== undefined || baseline === "mean";
  const data = needsData ? await datasetOf(await sourceOf(client, served), readConfig().datasetDirs) : undefined;
  const chosen = data && sample !== undefined ? testSample(data, sample, preprocessingOf(served)) : undefined;
  const asked = chosen ? inputOf(served, chosen) : await readInput(served, input);
  const stands = baseline === "mean" && data ? meanSample(data, preprocessingOf(served)) : baseline;
  const parameters = { ...options, ...(typeof stands !== "string" && stands !== undefined && { baseline: stands }) };
  const startedAt = performance.now();
  const answer = await client.explain(model, asked, parameters);
  const seconds = (performance.now() - startedAt) / 1000;
  if (json) return printJson(answer);
  const found = baseline === "mean" ? { ...answer, baseline: "the mean of the training samples" } : answer;
  const origin = chosen ? `, test sample ${sample} of ${data?.name} (${chosen.label})` : "";
  console.log(`${found.model_name}@${found.model_version}${origin}\n${describe(found, seconds, chosen?.tokens)}`);
}

/** The data set that the version that answers was made on. */
async function sourceOf(client: WhittleClient, { parameters }: ServedModel): Promise<string | undefined> {
  return parameters && (await client.manifest(parameters.digest)).data?.name;
}

/** What turns raw values into what the version that answers takes. */
function preprocessingOf({ parameters }: ServedModel): Preprocessing {
  return parameters?.preprocessing ?? { scale: 1, offset: 0 };
}

function inputOf(served: ServedModel, { values, shape }: TestSample): InferInput {
  const [spec, another] = served.inputs;
  if (!spec || another) throw new AppError("unsupported", `${served.name} has ${served.inputs.length} inputs, not one`);
  const { name, datatype } = spec;
  return { name, datatype, shape: [1, ...shape], data: values };
}

async function readInput(served: ServedModel, text: string | undefined): Promise<InferInput> {
  if (text === undefined) throw new AppError("invalid_request", "give --sample or --input: what is to be explained");
  const [input, another] = inputsOf(served, await readJson(text, "--input"), "--input");
  if (input && !another) return input;
  throw new AppError("unsupported", "--input: only models with one input can be explained");
}
