import type { tf } from "@whittle/engine";
import type { JobContext, JobOutcome } from "../shared/context.ts";
import { openDatasetOf } from "../shared/data.ts";
import { exportTrainable, measured } from "../shared/draft.ts";
import { checkFits, openArtifact, openTrainable } from "../shared/model.ts";
import { startEngine } from "../shared/zoo-model.ts";
import type { PruneParams } from "./contract.ts";
import type { Pruned, PruneJob } from "./method.ts";
import { pruneChannels } from "./structured/run.ts";
import { pruneWeights } from "./unstructured/run.ts";

/** Prunes a model by the method that the parameters name, and measures what is left. */
export async function run(params: PruneParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const backend = await startEngine(context);
  const base = await openArtifact(context, "model", params.model);
  const data = await openDatasetOf(context, base, params);
  checkFits(base, data);
  const opened = await openTrainable(context, base);
  let model: tf.LayersModel | undefined;
  try {
    const pruned = await prune({ context, base, data, model: opened }, params);
    ({ model } = pruned);
    const { config, training, reports = [], metrics = {} } = pruned;
    const { files, onnx } = await exportTrainable(context, model, config);
    const job = { kind: "prune", params };
    const parents = [{ role: "base" as const, digest: base.digest }];
    const product = { config, job, data, parents, files: [...files, ...reports], onnx, backend, training };
    const outcome = await measured(context, product);
    return { ...outcome, metrics: { ...outcome.metrics, ...metrics } };
  } finally {
    if (model !== opened) model?.dispose();
    opened.dispose();
  }
}

function prune(job: Omit<PruneJob<unknown>, "params">, params: PruneParams): Promise<Pruned> {
  return params.method === "structured" ? pruneChannels({ ...job, params }) : pruneWeights({ ...job, params });
}
