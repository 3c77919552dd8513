import type { tf } from "@whittle/engine";
import { refuse } from "../../shared/model.ts";
import { trainingSamples, type Trained } from "../../shared/training.ts";
import type { Method, PruneJob, Pruned } from "../method.ts";
import { reportFiles } from "../report.ts";
import type { StructuredParams } from "./contract.ts";
import { dependenciesOf } from "./dependencies.ts";
import { fineTune, recoveryOf, sparsityLeft } from "./fine-tune.ts";
import { describeReport, reportOf, type PruningReport } from "./report.ts";
import { checkAmount, removeAmount, type Pruning } from "./remove.ts";
import { hasScore } from "./scores.ts";
import { sensitivityOf } from "./sensitivity.ts";

/** Removes the channels of least score, all at once or by rounds with fine-tuning between. */
export const pruneChannels: Method<StructuredParams> = async (job) => {
  const widths = groupWidths(job);
  checkAmount(job.params, widths);
  const pruning = { ...job, widths, samples: samplesOf(job) };
  const { context, params, base, samples } = pruning;
  const sensitivity = params.sensitivity && samples ? await sensitivityOf(pruning, samples) : undefined;
  const { model, training } = await rounds(pruning);
  const report = reportOf(pruning, model, sensitivity);
  for (const line of describeReport(report)) context.log("info", line);
  const compression = { ...base.manifest.config.compression, ...compressionOf(pruning, model, report) };
  const { before, after } = report;
  return {
    model,
    config: { ...base.manifest.config, compression },
    training,
    reports: reportFiles(report, "channels"),
    metrics: { pruning: { before, after } },
  };
};

/** @throws AppError `invalid_request` where nothing can be removed, or not by the score that was asked for. */
function groupWidths({ context, model, params }: PruneJob<StructuredParams>): Map<string, number> {
  context.progress(0.02, "finding dependent channels");
  const { groups, opaque } = dependenciesOf(model);
  for (const { layer, reason } of opaque) context.log("warn", `the channels around ${layer} stay: ${reason}`);
  if (groups.length === 0) refuse("model", "it has no channels that can be removed");
  const without = groups.filter((group) => !hasScore(group, params.score)).flatMap(({ layers }) => layers);
  if (without.length > 0) {
    const names = [...new Set(without)].join(", ");
    if (groups.every((group) => !hasScore(group, params.score)))
      refuse("score", `${params.score} needs batch normalization, which the model does not have: choose another score`);
    context.log("warn", `${names}: no batch normalization, scored by l2`);
  }
  return new Map(groups.map(({ key, channels }) => [key, channels.length]));
}

/** Samples to train or judge by, where there is anything to do with them. */
function samplesOf({ base, data, params }: PruneJob<StructuredParams>) {
  if (!params.fineTune && !params.sensitivity && params.score !== "taylor") return undefined;
  return trainingSamples(data, base.manifest.config.preprocessing, params.fineTune?.validationSplit ?? 0.1);
}

async function rounds(pruning: Pruning): Promise<Pick<Pruned, "model" | "training">> {
  const { model: whole, params } = pruning;
  const recovery = recoveryOf(pruning);
  let model = whole;
  let training: Trained | undefined;
  try {
    for (let number = 1; number <= params.rounds; number++) {
      const smaller = await removeAmount(pruning, model, (params.amount * number) / params.rounds);
      if (model !== whole) model.dispose();
      model = smaller;
      const trained = await fineTune(pruning, model, recovery, number);
      training = trained && { ...trained, seconds: trained.seconds + (training?.seconds ?? 0) };
    }
    return { model, training };
  } catch (error) {
    if (model !== whole) model.dispose();
    throw error;
  } finally {
    recovery.dispose();
  }
}

function compressionOf(pruning: Pruning, model: tf.LayersModel, { layers }: PruningReport) {
  const prunedSparsity = sparsityLeft(pruning, model);
  const left = Object.fromEntries(layers.map(({ layer, after }) => [layer, after]));
  const channels = { ...pruning.base.manifest.config.compression?.channels, ...left };
  return { channels, ...(prunedSparsity !== undefined && { prunedSparsity }) };
}
