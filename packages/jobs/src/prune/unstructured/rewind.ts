import { trainingSettings, type TrainingSettings } from "@whittle/contracts";
import { modelWeights, type ModelWeights } from "@whittle/engine";
import { z } from "zod";
import { refuse } from "../../shared/model.ts";
import { architecture } from "../../shared/parameters.ts";
import { buildClassifier } from "../../shared/zoo-model.ts";
import type { PruneJob } from "../method.ts";

const trainJob = z.object({ ...architecture, ...trainingSettings.shape });

/**
 * What a model of a train job began with and how it was trained: for a lottery ticket (Frankle and Carbin, arXiv 1803.03635), the
 * weights that are left take their first values again and are trained once more.
 * @throws AppError `invalid_request` for a model of another job.
 */
export function beginningOf({ base, data }: Pick<PruneJob<unknown>, "base" | "data">): {
  weights: ModelWeights;
  settings: TrainingSettings;
} {
  const { kind, params } = base.manifest.job;
  if (kind !== "train") {
    refuse(
      "rewind",
      `initial needs a model of a train job, whose seed gives its first weights; this one is of the kind ${kind}`,
    );
  }
  const { family, familyParams, ...settings } = trainJob.parse(params);
  const fresh = buildClassifier({ family, familyParams }, data, settings.seed);
  try {
    return { weights: modelWeights(fresh), settings };
  } finally {
    fresh.dispose();
  }
}
