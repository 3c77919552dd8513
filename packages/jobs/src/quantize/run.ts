import { AppError } from "@whittle/contracts";
import { permutation } from "@whittle/engine";
import { analyse, Quantizer, type QuantizedModel, type QuantizerOptions } from "@whittle/onnx";
import { toFloat, type Dataset, type Split } from "@whittle/zoo";
import { stopIfAborted, type JobContext, type JobOutcome } from "../shared/context.ts";
import { openDatasetOf, pick } from "../shared/data.ts";
import { measured, onnxFile } from "../shared/draft.ts";
import { checkFits, isQuantized, openArtifact, refuse, type Artifact } from "../shared/model.ts";
import type { Trained } from "../shared/training.ts";
import { startEngine } from "../shared/zoo-model.ts";
import { adaRound } from "./adaround.ts";
import { awareTraining } from "./aware/contract.ts";
import { quantizeAware } from "./aware/run.ts";
import type { QuantizeParams } from "./contract.ts";
import { evidenceFiles, type Evidence } from "./evidence.ts";
import { describeQuantization, logLayers } from "./describe.ts";
import { fidelityOf, openJudge } from "./judge.ts";
import { findPlan, needsSearch } from "./plan.ts";

/** Training samples that a search judges by; what is left after calibrating where that is fewer. */
const HELD_OUT = 1024;

/** Turns a float model into one that ONNX Runtime runs in integer arithmetic, or whose file holds integers. */
export async function run(params: QuantizeParams, context: JobContext): Promise<JobOutcome> {
  context.progress(0, "loading data");
  const base = await openArtifact(context, "model", params.model);
  if (isQuantized(base.manifest)) refuse("model", alreadyQuantized(base));
  if (params.rounding === "adaround") await startEngine(context);
  const backend = params.method === "aware" ? await startEngine(context) : undefined;
  const data = await openDatasetOf(context, base, params);
  checkFits(base, data);
  const { config: from } = base.manifest;
  const float = await context.store.readFile(base.manifest, "onnx");
  context.progress(0.1, "calibrating");
  stopIfAborted(context.signal);
  const subject = { context, base, float, data };
  const made = params.method === "aware" ? await quantizeTrained(params, subject) : await quantize(params, subject);
  const { quantized, evidence, options, training } = made;
  checkZerosKept(float, quantized.model);
  const quantization = describeQuantization(params, options, quantized);
  const config = { ...from, compression: { ...from.compression, quantization } };
  const parents = [{ role: "base" as const, digest: base.digest }];
  const files = {
    onnx: quantized.model,
    files: [onnxFile(quantized.model), ...(evidence ? evidenceFiles(evidence) : [])],
  };
  const metrics = { fidelity: await fidelityOf(context, float, quantized.model, from, data) };
  const job = { kind: "quantize", params };
  return measured(context, { config, job, data, parents, ...files, backend, training, metrics });
}

interface Subject {
  context: JobContext;
  base: Artifact;
  float: Uint8Array;
  data: Dataset;
}

interface Made {
  quantized: QuantizedModel;
  options: QuantizerOptions;
  evidence?: Evidence | undefined;
  training?: Trained;
}

async function quantizeTrained(params: QuantizeParams, { context, base, data }: Subject): Promise<Made> {
  const options = fixedOptions(params, context);
  const settings = params.training ?? awareTraining.parse({});
  const { samples } = params.calibration;
  const made = await quantizeAware({ context, base, data, settings, options, samples });
  logLayers(context, made.quantized, params);
  return { ...made, options };
}

/** Quantizes as the parameters say, after a search where they leave something open. */
async function quantize(params: QuantizeParams, { context, base, float, data }: Subject): Promise<Made> {
  const drawn = drawSamples(data.train, params);
  const { preprocessing } = base.manifest.config;
  const calibration = { inputs: toFloat(drawn.calibration, preprocessing), shape: data.inputShape };
  const quantizer = new Quantizer(float, calibration, params);
  const fixed = fixedOptions(params, context);
  if (!needsSearch(params)) {
    const quantized = await quantizer.quantize(fixed);
    logLayers(context, quantized, params);
    return { quantized, options: fixed };
  }
  if (drawn.heldOut.count === 0) {
    const message = `takes all ${data.train.count} training samples and leaves none to judge by; use fewer`;
    refuse("calibration.samples", message);
  }
  const judge = await openJudge(context, float, drawn.heldOut, base.manifest.config, data);
  const { options, evidence } = await findPlan(params, fixed, { context, quantizer, judge });
  const quantized = await quantizer.quantize(options);
  logLayers(context, quantized, params);
  const complete: Evidence = { ...evidence, quantized: await judge.judge(quantized.model) };
  return { quantized, options, evidence: complete };
}

function fixedOptions(params: QuantizeParams, context: JobContext): QuantizerOptions {
  const { method, bits, granularity, blockSize, scheme, biasCorrection, calibration, rounding, target } = params;
  const round = rounding === "adaround" && {
    round: (problem: Parameters<typeof adaRound>[0]) => adaRound(problem, context.signal),
  };
  return {
    method: method === "aware" ? "static" : method,
    bits: bits === "auto" ? 8 : bits,
    granularity,
    blockSize,
    scheme,
    biasCorrection,
    ...(calibration.method !== "auto" && { calibrator: calibration.method }),
    ...(target !== "worker" && { reduceRange: target === "any" }),
    ...round,
  };
}

function alreadyQuantized({ manifest }: Artifact): string {
  const { bits } = manifest.config.compression?.quantization ?? {};
  const origin = manifest.parents.find(({ role }) => role === "base")?.digest;
  return `the model is quantized already, to ${bits} bits; quantize the one that it was made from (${origin}) another way`;
}

interface Samples {
  calibration: Split;
  heldOut: Split;
}

/** Training samples drawn in an order that is the same for every job; never test samples, and none for both uses. */
function drawSamples(train: Split, { calibration: { samples } }: QuantizeParams): Samples {
  const order = permutation(train.count, 0);
  return {
    calibration: pick(train, order.subarray(0, samples)),
    heldOut: pick(train, order.subarray(samples, samples + HELD_OUT)),
  };
}

/** Zero is a value of every scheme, so what was pruned stays so. @throws AppError `internal` when it has not. */
function checkZerosKept(before: Uint8Array, after: Uint8Array): void {
  const [had, has] = [analyse(before).sparsity, analyse(after).sparsity];
  if (has < had) throw new AppError("internal", `quantizing left ${has} of the weights zero where ${had} were`);
}
