import { AppError, type BackendInfo, type ModelConfig, type Preprocessing } from "@whittle/contracts";
import { initEngine, type InitOptions, type tf } from "@whittle/engine";
import { buildModel, type Dataset } from "@whittle/zoo";
import { families, type FamilyName } from "@whittle/zoo/catalog";
import type { JobContext } from "./context.ts";

interface Architecture {
  family: FamilyName;
  familyParams: Record<string, unknown>;
}

/** Loads TensorFlow, if it isn't yet; says so in the job's log when only the slow backend is there. */
export function startEngine(
  context: JobContext,
  options: Pick<InitOptions, "macsPerProduct"> = {},
): Promise<BackendInfo> {
  return initEngine({ ...options, warn: (message) => context.log("warn", message) });
}

/** The configuration of a zoo classifier for a data set: `input` [-1, ...inputShape] gives `logits` [-1, classes]. */
export function classifierConfig(
  { family, familyParams }: Architecture,
  { inputShape, labels, vocabulary }: Dataset,
  preprocessing: Preprocessing,
): ModelConfig {
  const signature = {
    inputs: [{ name: "input", datatype: "FP32" as const, shape: [-1, ...inputShape] }],
    outputs: [{ name: "logits", datatype: "FP32" as const, shape: [-1, labels.length] }],
  };
  const complete = families[family].params.parse(familyParams);
  return { family, familyParams: complete, signature, preprocessing, labels, ...(vocabulary && { vocabulary }) };
}

/**
 * A new classifier with the weights that the seed gives. The caller disposes it.
 * @throws AppError `invalid_request` at the parameter that does not fit the data (`params.familyParams.filters`).
 */
export function buildClassifier(
  { family, familyParams }: Architecture,
  { inputShape, labels, vocabulary }: Pick<Dataset, "inputShape" | "labels" | "vocabulary">,
  seed: number,
): tf.LayersModel {
  const shape = { inputShape, classes: labels.length, vocabulary: vocabulary?.length };
  try {
    return buildModel(family, familyParams, { ...shape, seed });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const issues = error.issues.map(({ path, message }) => ({ path: `params.${path}`, message }));
    const [first] = issues;
    throw new AppError(error.code, first ? `${first.path}: ${first.message}` : error.message, { issues, cause: error });
  }
}
