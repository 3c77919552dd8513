import type { ArtifactDraft, ModelConfig } from "@whittle/contracts";
import type { tf } from "@whittle/engine";
import type { Dataset } from "@whittle/zoo";
import type { JobContext } from "../shared/context.ts";
import type { Artifact } from "../shared/model.ts";
import type { Trained } from "../shared/training.ts";

/** What a method of pruning works on. `model` stays the caller's; a method may change its weights. */
export interface PruneJob<P> {
  context: JobContext;
  params: P;
  base: Artifact;
  data: Dataset;
  model: tf.LayersModel;
}

export interface Pruned {
  /** The same model, or a new one that the caller disposes. */
  model: tf.LayersModel;
  config: ModelConfig;
  /** Undefined where nothing was trained. */
  training: Trained | undefined;
  reports?: ArtifactDraft["files"];
  /** Added to the job's metrics. */
  metrics?: Record<string, unknown>;
}

/** A way of pruning: what `method` in the parameters names. */
export type Method<P> = (job: PruneJob<P>) => Promise<Pruned>;
