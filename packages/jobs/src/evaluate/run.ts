import type { Dataset } from "@whittle/zoo";
import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDatasetOf } from "../shared/data.ts";
import { evaluateOnnx } from "../shared/evaluation.ts";
import { checkFits, openArtifact, type Artifact } from "../shared/model.ts";
import { percent } from "../shared/training.ts";
import { classAccuracies, confusionMatrix } from "../shared/confusion.ts";
import { compareExplanations, type ExplanationAgreement } from "./explanations.ts";
import type { EvaluateParams } from "./contract.ts";

/** Runs a published model over a split, as it is served. */
export async function run(params: EvaluateParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const artifact = await openArtifact(context, "model", params.model);
  const data = await openDatasetOf(context, artifact, params);
  checkFits(artifact, data);
  const onnx = await context.store.readFile(artifact.manifest, "onnx");
  const split = data[params.split];
  context.progress(0.2, "evaluating");
  const { accuracy, loss, predictions } = await evaluateOnnx(context, onnx, split, artifact.manifest.config, data);
  const confusion = confusionMatrix(split.y, predictions, data.labels.length);
  const ofClass = classAccuracies(confusion);
  const perClass = Object.fromEntries(data.labels.map((label, i) => [label, ofClass[i]]));
  context.log("info", `${params.split} accuracy ${percent(accuracy.value)} on ${split.count} samples`);
  const explanations = await explained(params, context, onnx, artifact, data);
  context.progress(1, "evaluated");
  return { metrics: { accuracy, loss, perClass, confusion, ...(explanations && { explanations }) } };
}

async function explained(
  { explanations: wanted, split }: EvaluateParams,
  context: JobContext,
  onnx: Uint8Array,
  { manifest }: Artifact,
  data: Dataset,
): Promise<ExplanationAgreement | undefined> {
  if (wanted === undefined) return undefined;
  const beside = await openArtifact(context, "explanations.beside", wanted.beside);
  checkFits(beside, data);
  const other = { onnx: await context.store.readFile(beside.manifest, "onnx"), config: beside.manifest.config };
  context.progress(0.5, "explaining");
  const found = await compareExplanations(
    context,
    { own: { onnx, config: manifest.config }, other },
    data[split],
    data,
    wanted,
  );
  const { rankCorrelation, standardError, ofItself, samples } = found;
  const measured = `${rankCorrelation.toFixed(3)} +- ${standardError.toFixed(3)}, of the other with itself ${ofItself.toFixed(3)}`;
  context.log("info", `rank correlation of the explanations: ${measured}, on ${samples} samples`);
  return found;
}
