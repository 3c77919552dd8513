import { AppError, type JobView, type Manifest } from "@whittle/contracts";
import { measureLatency } from "@whittle/onnx/runtime";
import type { WhittleClient } from "@whittle/sdk";
import type { StageName } from "./recipe.ts";
import type { StageReport } from "./report.ts";

/** A published stage with what is needed to measure it. */
export interface Stage {
  name: StageName;
  model: string;
  digest: string;
  manifest: Manifest;
  onnx: Uint8Array;
}

/** Fetches what a finished step published. */
export async function fetchStage(client: WhittleClient, name: StageName, job: JobView): Promise<Stage> {
  const artifact = job.result?.artifact;
  if (!artifact) throw new AppError("internal", `${name} (job ${job.id}) has published nothing`);
  const model = `${artifact.name}@${artifact.version}`;
  const manifest = await client.manifest(model);
  const file = manifest.files.find(({ role }) => role === "onnx");
  if (!file) throw new AppError("internal", `${model} has no ONNX file`);
  return { name, model, digest: artifact.digest, manifest, onnx: await client.download(model, file.path) };
}

/** Accuracies and sizes as the artifacts carry them; latencies of all stages measured now, in turn, in one run. */
export async function measureStages(stages: Stage[], inputShape: number[]): Promise<StageReport[]> {
  const models = stages.map(({ name, onnx }) => ({ name, model: onnx }));
  const latencies = await measureLatency(models, { batches: [1, 32], inputShape, rounds: 300 });
  return stages.map(({ name, model, digest, manifest }) => {
    const { accuracy, bytes, gzipBytes } = manifest.metrics;
    const latencyMs = latencies[name];
    if (!accuracy || !bytes || !gzipBytes || !latencyMs) throw new AppError("internal", `${model} was not measured`);
    return {
      name,
      model,
      digest,
      accuracy: accuracy.value,
      accuracyInterval: accuracy.interval,
      bytes,
      gzipBytes,
      latencyMs,
    };
  });
}
