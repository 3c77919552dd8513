import { gzipSync } from "node:zlib";
import {
  AppError,
  cpuInfo,
  type ArtifactDraft,
  type BackendInfo,
  type Manifest,
  type Measurements,
  type Metrics,
  type ModelConfig,
  type Signature,
} from "@whittle/contracts";
import { modelWeights, saveModel, saveSavedModel, type tf } from "@whittle/engine";
import { analyse, exportOnnx } from "@whittle/onnx";
import { measureLatency } from "@whittle/onnx/runtime";
import type { Dataset } from "@whittle/zoo";
import { stopIfAborted, type JobContext, type JobOutcome } from "./context.ts";
import { compare, perClass, recommend } from "./comparison.ts";
import { evaluateOnnx } from "./evaluation.ts";
import { percent, type Trained } from "./training.ts";
import { versionsOf } from "./versions.ts";

/** A compressed or trained model before it is measured. */
export interface Product {
  config: ModelConfig;
  /** `params` with digests in the place of names. */
  job: Manifest["job"];
  data: Dataset;
  parents: Manifest["parents"];
  files: ArtifactDraft["files"];
  /** What is served; also among the files. */
  onnx: Uint8Array;
  backend?: BackendInfo;
  /** Where it was trained. */
  training?: Trained;
  /** What the kind itself has measured besides. */
  metrics?: Partial<Metrics>;
}

const binary = "application/octet-stream";

/** The files of a trainable model, in every format that it can be written in; the job's log says which it can't. */
export async function exportTrainable(
  context: Pick<JobContext, "log">,
  model: tf.LayersModel,
  { signature }: ModelConfig,
): Promise<Pick<Product, "files" | "onnx">> {
  const { topology, weights } = await saveModel(model);
  const onnx = onnxOf(model, signature);
  const files: ArtifactDraft["files"] = [
    { path: "model.json", role: "tfjs", mediaType: "application/json", bytes: topology },
    { path: "weights.bin", role: "weights", mediaType: binary, bytes: weights },
    onnxFile(onnx),
    ...savedModelFiles(context, model, signature),
  ];
  return { files, onnx };
}

/** A model in the form that is served and measured. */
export function onnxOf(model: tf.LayersModel, signature: Signature): Uint8Array {
  return exportOnnx({ topology: model.toJSON(undefined, false), weights: modelWeights(model), signature });
}

/** None where TensorFlow is not there or the model does other things for other numbers of samples. */
function savedModelFiles(
  context: Pick<JobContext, "log">,
  model: tf.LayersModel,
  signature: Signature,
): ArtifactDraft["files"] {
  try {
    const bytes = saveSavedModel(model, signature);
    return [{ path: "saved_model.pb", role: "saved-model", mediaType: binary, bytes }];
  } catch (error) {
    if (!(error instanceof AppError && error.code === "unsupported")) throw error;
    context.log("warn", `the artifact has no SavedModel: ${error.message}`);
    return [];
  }
}

export function onnxFile(bytes: Uint8Array): ArtifactDraft["files"][number] {
  return { path: "model.onnx", role: "onnx", mediaType: binary, bytes };
}

/** Measures a model and the one it was made from on the test samples, in ONNX Runtime, and makes it ready to be published. */
export async function measured(context: JobContext, product: Product): Promise<JobOutcome> {
  const { config, data, job, parents, files, onnx, backend } = product;
  context.progress(0.9, "measuring accuracy");
  const own = await evaluateOnnx(context, onnx, data.test, config, data);
  const parent = await openParent(context, product);
  const { accuracy, loss } = own;
  const metrics: Metrics = {
    accuracy,
    loss,
    ...costOf(onnx),
    perClass: perClass(data.test.y, own, data.labels),
    ...(parent && { comparison: compare(data.test.y, parent.compared, own, data.labels) }),
    ...product.metrics,
  };
  stopIfAborted(context.signal);
  context.progress(0.95, "measuring latency");
  const measurements = await measure(product, metrics, parent?.onnx);
  tell(context, metrics, measurements);
  const origin = { job, parents, data: { name: data.name, digest: data.digest }, versions: versionsOf(backend) };
  return { artifact: { config, metrics, ...origin, files, measurements }, metrics: { ...metrics, ...measurements } };
}

/** The model that this one was made from, or its teacher, with how it answers the same test samples; it may take them in another form. */
async function openParent(context: JobContext, { parents: [parent], data }: Product) {
  if (!parent) return undefined;
  const manifest = await context.store.manifest(parent.digest);
  const onnx = await context.store.readFile(manifest, "onnx");
  const evaluation = await evaluateOnnx(context, onnx, data.test, manifest.config, data);
  return { onnx, compared: { ...parent, evaluation, ...costOf(onnx) } };
}

/** What a model takes of memory, a download and arithmetic. */
function costOf(onnx: Uint8Array) {
  const gzipBytes = gzipSync(onnx, { level: 9 }).byteLength;
  return { bytes: onnx.byteLength, gzipBytes, ...analyse(onnx) };
}

/** Latencies of the model and, in turn with it, of its parent. */
async function measure(product: Product, metrics: Metrics, parent: Uint8Array | undefined): Promise<Measurements> {
  const { onnx, data, training } = product;
  const models = [{ name: "own", model: onnx }, ...(parent ? [{ name: "parent", model: parent }] : [])];
  const taken = await measureLatency(models, { batches: [1, 32], inputShape: data.inputShape });
  const latencies = { latencyMs: taken["own"], parentLatencyMs: taken["parent"] };
  const trained = training && { trainingSeconds: training.seconds, execution: training.execution };
  return { ...latencies, recommendation: recommend(metrics, latencies), cpu: cpuInfo(), ...trained };
}

function tell(context: JobContext, metrics: Metrics, measurements: Measurements): void {
  context.log("info", describe(metrics, measurements));
  const { recommendation } = measurements;
  if (recommendation?.recommended === false)
    context.log("warn", `not recommended in place of its base: ${recommendation.reasons.join("; ")}`);
}

function describe({ accuracy, bytes, gzipBytes }: Metrics, { latencyMs }: Measurements): string {
  const [low, high] = accuracy?.interval ?? [0, 0];
  const interval = `${percent(accuracy?.value ?? 0)} (95% interval ${percent(low)} to ${percent(high)})`;
  const p50 = `${latencyMs?.b1.p50.toFixed(3)} ms at batch 1, ${latencyMs?.b32.p50.toFixed(3)} ms at batch 32`;
  return `test accuracy ${interval}; ${bytes} bytes, ${gzipBytes} gzipped; p50 ${p50}`;
}
