import { modelWeights, type tf } from "@whittle/engine";
import { stopIfAborted } from "../../shared/context.ts";
import { refuse } from "../../shared/model.ts";
import { percent, type TrainingSamples } from "../../shared/training.ts";
import { lossGradients } from "../gradients.ts";
import type { PruneJob } from "../method.ts";
import type { StructuredParams } from "./contract.ts";
import { costOf, leastShare } from "./cost.ts";
import { dependenciesOf, type Dependencies } from "./dependencies.ts";
import { scoreGroups, type ScoredGroup } from "./scores.ts";
import { multipleFor, selectChannels } from "./select.ts";
import { withoutChannels } from "./surgery.ts";

/** A pruning under way. */
export interface Pruning extends PruneJob<StructuredParams> {
  /** Channels of each group of the whole model, by its key. */
  widths: ReadonlyMap<string, number>;
  /** There where they are needed: for the taylor score, fine-tuning and the sensitivity. */
  samples: TrainingSamples | undefined;
}

/** A model's groups with their scores. */
export function score(
  { params, samples }: Pruning,
  model: tf.LayersModel,
): { dependencies: Dependencies; groups: ScoredGroup[] } {
  const dependencies = dependenciesOf(model);
  const batches = params.score === "taylor" && samples ? lossGradients(model, samples, params.samples) : [];
  const evidence = {
    weights: modelWeights(model),
    gradients: batches.map(({ gradients }) => gradients),
    seed: params.seed,
  };
  return { dependencies, groups: scoreGroups(dependencies, params.score, evidence) };
}

/**
 * A smaller model, without the least channels.
 * @param amount the share to be gone then, counted from the whole model.
 */
export async function removeAmount(pruning: Pruning, model: tf.LayersModel, amount: number): Promise<tf.LayersModel> {
  const { params } = pruning;
  const { dependencies, groups } = score(pruning, model);
  const without = (share: number) =>
    withoutChannels(model, dependencies, selectChannels(groups, share, { ...params, widths: pruning.widths }));
  return without(params.of === "channels" ? amount : await shareFor(pruning, without, amount));
}

/** The share of the channels whose removal saves the amount of what is asked for. */
async function shareFor(
  { context, params, base, model: whole }: Pruning,
  without: (share: number) => Promise<tf.LayersModel>,
  amount: number,
): Promise<number> {
  if (params.of === "channels") return amount;
  const cost = costOf(params.of, whole, base.manifest.config);
  const total = await cost(whole);
  const found = await leastShare(
    async (share) => {
      stopIfAborted(context.signal);
      const smaller = await without(share);
      try {
        return await cost(smaller);
      } finally {
        smaller.dispose();
      }
    },
    total * (1 - amount),
  );
  if ("share" in found) return found.share;
  return refuseAmount({ ...params, amount }, 1 - found.least / total);
}

/** @param most the share that can go. */
function refuseAmount({ amount, of, roundTo }: StructuredParams, most: number): never {
  return refuse(
    "amount",
    `at most ${percent(most)} of the ${of} can be taken away (roundTo ${roundTo}), not ${percent(amount)}`,
  );
}

/**
 * Checks a share of the channels, of which a multiple of each group stays.
 * @throws AppError `invalid_request` where so few are to stay that it isn't rounding any more: less than half of that.
 */
export function checkAmount(params: StructuredParams, widths: ReadonlyMap<string, number>): void {
  if (params.of !== "channels") return;
  const all = [...widths.values()];
  const whole = all.reduce((sum, width) => sum + width, 0);
  const least = all.reduce((sum, width) => sum + multipleFor(width, params.roundTo), 0);
  if (whole * (1 - params.amount) < least / 2) refuseAmount(params, 1 - least / whole);
}
