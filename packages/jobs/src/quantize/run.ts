import { AppError } from "@whittle/contracts";
import { permutation } from "@whittle/engine";
import { analyse, quantizeOnnx, type QuantizedModel } from "@whittle/onnx";
import { toFloat, type Dataset } from "@whittle/zoo";
import { stopIfAborted, type JobContext, type JobOutcome } from "../shared/context.ts";
import { openDatasetOf, pick } from "../shared/data.ts";
import { measured, onnxFile } from "../shared/draft.ts";
import { checkFits, isQuantized, openArtifact, refuse, type Artifact } from "../shared/model.ts";
import type { QuantizeParams } from "./contract.ts";

/** Turns a float model into one that ONNX Runtime runs in integer arithmetic. */
export async function run(params: QuantizeParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const base = await openArtifact(context, "model", params.model);
  if (isQuantized(base.manifest)) refuse("model", alreadyQuantized(base));
  const data = await openDatasetOf(context, base, params);
  checkFits(base, data);
  const { config: from } = base.manifest;
  const float = await context.store.readFile(base.manifest, "onnx");
  context.progress(0.1, "calibrating");
  stopIfAborted(context.signal);
  const { bits, granularity, scheme, calibration } = params;
  const quantized = await quantizeOnnx(float, {
    bits,
    granularity,
    scheme,
    calibrator: calibration.method,
    calibration: { inputs: calibrationInputs(data, base, calibration.samples), shape: data.inputShape },
  });
  logLayers(context, quantized);
  checkZerosKept(float, quantized.model);
  const quantization = { bits: bitsOf(context, quantized, bits), granularity, scheme };
  const config = { ...from, compression: { ...from.compression, quantization } };
  const parents = [{ role: "base" as const, digest: base.digest }];
  const files = { onnx: quantized.model, files: [onnxFile(quantized.model)] };
  return measured(context, { config, job: { kind: "quantize", params }, data, parents, ...files });
}

function alreadyQuantized({ manifest }: Artifact): string {
  const { bits } = manifest.config.compression?.quantization ?? {};
  const origin = manifest.parents.find(({ role }) => role === "base")?.digest;
  return `the model is quantized already, to ${bits} bits; quantize the one that it was made from (${origin}) another way`;
}

/** Training samples drawn in an order that is the same for every job; never test samples. */
function calibrationInputs({ train }: Dataset, { manifest }: Artifact, samples: number): Float32Array {
  return toFloat(pick(train, permutation(train.count, 0).subarray(0, samples)), manifest.config.preprocessing);
}

/** The bits that the weights really have: a processor without VNNI instructions can't use all 8 without saturating. */
function bitsOf(context: JobContext, { layers }: QuantizedModel, asked: number): number {
  const bits = Math.max(...layers.map((layer) => layer.bits));
  if (bits < asked)
    context.log("warn", `the weights have ${bits} bits, not ${asked}: with more, this processor's sums saturate`);
  return bits;
}

function logLayers(context: JobContext, { layers, fused }: QuantizedModel): void {
  for (const { name, operator, weights, bits, signalToNoise } of layers) {
    context.log("info", `${name}: ${operator}, ${weights} weights of ${bits} bits, ${signalToNoise.toFixed(1)} dB`);
  }
  const counts = Object.entries(fused).map(([operator, count]) => `${count} ${operator}`);
  context.log("info", `ONNX Runtime runs it as ${counts.join(", ")}`);
}

/** Zero is a value of every scheme, so what was pruned stays so. @throws AppError `internal` when it has not. */
function checkZerosKept(before: Uint8Array, after: Uint8Array): void {
  const [had, has] = [analyse(before).sparsity, analyse(after).sparsity];
  if (has < had) throw new AppError("internal", `quantizing left ${has} of the weights zero where ${had} were`);
}
