import { AppError, importedFamily, type ModelConfig } from "@whittle/contracts";
import { importOnnx, type ImportedModel } from "@whittle/onnx";
import { firstSamples, toFloat, type Dataset, type Split } from "@whittle/zoo";
import { stopIfAborted, type JobContext, type JobOutcome } from "../shared/context.ts";
import { openDataset } from "../shared/data.ts";
import { measured, onnxFile } from "../shared/draft.ts";
import { refuse } from "../shared/model.ts";
import { percent } from "../shared/training.ts";
import type { ImportParams } from "./contract.ts";

/** Test samples on which the model must answer as the file does. */
const COMPARED = 32;

/** Publishes a classifier that another tool exported as ONNX, in the form used here. */
export async function run(params: ImportParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const data = await openDataset(context, params.dataset, params);
  const file = await readUpload(context, params.file);
  context.progress(0.3, "importing");
  const { preprocessing = data.preprocessing } = params;
  const { model, changes, warnings } = await importFor(data, file, preprocessing, params.channels);
  for (const change of changes) context.log("info", change);
  for (const warning of warnings) context.log("warn", warning);
  stopIfAborted(context.signal);
  const job = { kind: "import", params };
  const config = configOf({ file: params.file, warnings }, data, preprocessing);
  const outcome = await measured(context, { config, job, data, parents: [], files: [onnxFile(model)], onnx: model });
  warnOfChance(context, outcome, data.test);
  return outcome;
}

async function readUpload({ store }: JobContext, digest: string): Promise<Uint8Array> {
  try {
    return await store.readContent(digest);
  } catch (error) {
    if (!(error instanceof AppError && error.code === "not_found")) throw error;
    return refuse("file", `there is no upload ${digest}, or it was removed because no job took it: send it again`);
  }
}

/** @throws AppError `invalid_request` at the file, saying what was found and what would be right. */
async function importFor(
  data: Dataset,
  file: Uint8Array,
  preprocessing: ModelConfig["preprocessing"],
  channels: ImportParams["channels"],
): Promise<ImportedModel> {
  const { name, inputShape: sample, labels } = data;
  const samples = toFloat(firstSamples(data, { test: COMPARED }).test, preprocessing);
  const imported = await importOnnx(file, { sample, samples, channels }).catch((error: unknown) => {
    if (error instanceof AppError && ["unsupported", "corrupt"].includes(error.code)) refuse("file", error.message);
    throw error;
  });
  const { classes } = imported;
  if (classes !== labels.length)
    refuse("file", `the model gives ${classes} scores, but ${name} has ${labels.length} classes: ${labels.join(", ")}`);
  return imported;
}

function configOf(
  { file, warnings }: { file: string; warnings: string[] },
  { inputShape, labels, vocabulary }: Dataset,
  preprocessing: ModelConfig["preprocessing"],
): ModelConfig {
  const signature = {
    inputs: [{ name: "input", datatype: "FP32" as const, shape: [-1, ...inputShape] }],
    outputs: [{ name: "logits", datatype: "FP32" as const, shape: [-1, labels.length] }],
  };
  const origin = { family: importedFamily, familyParams: { file, ...(warnings.length > 0 && { warnings }) } };
  return { ...origin, signature, preprocessing, labels, ...(vocabulary && { vocabulary }) };
}

/** A model that knows its classes is not as good as one that always names the most frequent. */
function warnOfChance(context: JobContext, { artifact }: JobOutcome, { y, count }: Split): void {
  const accuracy = artifact?.metrics.accuracy;
  const frequencies = new Map<number, number>();
  for (const label of y) frequencies.set(label, (frequencies.get(label) ?? 0) + 1);
  const chance = Math.max(...frequencies.values()) / count;
  if (!accuracy || accuracy.interval[0] > chance) return;
  context.log(
    "warn",
    `the accuracy of ${percent(accuracy.value)} is no better than naming one class always (${percent(chance)}): the model's classes ` +
      "probably have another order, or it expects its values scaled otherwise (preprocessing)",
  );
}
