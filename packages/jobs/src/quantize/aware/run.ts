import { modelWeights, permutation, predict, samplesAt, tf, type RawSamples } from "@whittle/engine";
import { exportTraced, Quantizer, type QuantizedModel, type QuantizerOptions } from "@whittle/onnx";
import { classify, createSession } from "@whittle/onnx/runtime";
import type { Dataset } from "@whittle/zoo";
import { assertZeros, maskTensors, zerosOf } from "../../shared/masks.ts";
import type { JobContext } from "../../shared/context.ts";
import { distillationFrom, recoveryOptions } from "../../shared/distillation.ts";
import { openTrainable, type Artifact } from "../../shared/model.ts";
import { foldBatchNorms } from "../../shared/network/fold-batch-norm.ts";
import { networkOf, separateActivations, topologyOf, type Network } from "../../shared/network/network.ts";
import { percent, trainingSamples, trainModel, type Trained, type TrainingSamples } from "../../shared/training.ts";
import type { Evidence } from "../evidence.ts";
import { openJudge } from "../judge.ts";
import { createAwareModel, type AwareModel } from "./aware-model.ts";
import type { AwareTraining } from "./contract.ts";

/** How often the model in training and ONNX Runtime should predict the same. */
const LEAST_AGREEMENT = 0.99;
const BATCH = 256;

export interface AwareJob {
  context: JobContext;
  base: Artifact;
  data: Dataset;
  settings: AwareTraining;
  /** Of the static quantization that it is trained for. */
  options: QuantizerOptions;
  /** How many training samples are calibrated with. */
  samples: number;
}

export interface AwareOutcome {
  quantized: QuantizedModel;
  quantizer: Quantizer;
  /** Undefined where no samples were held out. */
  evidence: Evidence | undefined;
  training: Trained;
}

/**
 * Quantization-aware training: quantizes a model as without training, trains it with its weights and activations rounded as they will
 * be, and quantizes it with the ranges and scales of that training. Batch normalization is folded before. Zeros of a pruned model stay.
 * @throws AppError `invalid_request` when the model has no trainable form.
 */
export async function quantizeAware(job: AwareJob): Promise<AwareOutcome> {
  const { context, base, data, settings, options } = job;
  const samples = trainingSamples(data, base.manifest.config.preprocessing, settings.validationSplit);
  const model = await openTrainable(context, base);
  try {
    const network = separateActivations(foldBatchNorms(networkOf(model)));
    const { quantizer, tensors, bytes } = exportNetwork(job, network, samples);
    const start = await quantizer.quantize(options);
    const bits = Math.max(...start.layers.map((layer) => layer.bits));
    const learned = settings.quantizer === "lsq";
    const aware = await createAwareModel(network, { tensors, parameters: start.parameters, bits, learned });
    try {
      const training = await train(job, { network, aware, model, samples });
      const { weights, given } = aware.finish();
      const trained = exportNetwork(job, { ...network, weights }, samples);
      const quantized = await trained.quantizer.quantize({ ...options, given });
      await checkAgreement(job, aware.model, quantized.model, samples.x);
      const evidence = await evidenceOf(job, bytes, [start.model, quantized.model], samples);
      return { quantized, quantizer: trained.quantizer, evidence, training };
    } finally {
      aware.dispose();
    }
  } finally {
    model.dispose();
  }
}

type Samples = TrainingSamples<RawSamples>;

/** The network in ONNX, ready to be quantized. */
function exportNetwork({ base, data, samples }: AwareJob, network: Network, { x }: Samples) {
  const { signature } = base.manifest.config;
  const { model, tensors } = exportTraced({ topology: topologyOf(network), weights: network.weights, signature });
  const calibration = { inputs: drawInputs(x, samples), shape: data.inputShape };
  return { quantizer: new Quantizer(model, calibration), tensors, bytes: model };
}

/** Samples drawn in an order that is the same for every job, as the model takes them. */
function drawInputs(x: RawSamples, samples: number): Float32Array {
  const count = x.values.length / x.shape.reduce((product, size) => product * size, 1);
  return tf.tidy(() => Float32Array.from(samplesAt(x, permutation(count, 0).subarray(0, samples)).dataSync()));
}

interface Training {
  network: Network;
  aware: AwareModel;
  /** Before quantizing. */
  model: tf.LayersModel;
  samples: Samples;
}

async function train({ context, base, settings }: AwareJob, training: Training): Promise<Trained> {
  const { network, aware, model, samples } = training;
  const sparse = base.manifest.config.compression?.prunedSparsity !== undefined;
  const zeros = sparse ? zerosOf(network.weights) : {};
  const masks = maskTensors(network.weights, zeros);
  const answers = settings.recovery === "distill" ? predict(model, samples.x) : undefined;
  const loss = answers && { loss: distillationFrom(answers, recoveryOptions) };
  try {
    const extras = { masks, reparametrize: aware.reparametrize, ...loss };
    const trained = await trainModel(context, aware.model, samples, settings, extras);
    assertZeros(modelWeights(aware.model), zeros);
    return trained;
  } finally {
    answers?.dispose();
    tf.dispose(masks);
  }
}

/** Compares what was trained with what is published. They differ where a sum lies on the edge between two integers. */
async function checkAgreement(
  { context, data, samples }: AwareJob,
  model: tf.LayersModel,
  quantized: Uint8Array,
  x: RawSamples,
): Promise<void> {
  const inputs = drawInputs(x, samples);
  const size = data.inputShape.reduce((product, each) => product * each, 1);
  const count = inputs.length / size;
  const trained = tf.tidy(() =>
    predict(model, tf.tensor(inputs, [count, ...data.inputShape]))
      .argMax(1)
      .dataSync(),
  );
  const session = await createSession(quantized);
  try {
    const { predictions } = await classify(session, inputs, data.inputShape, BATCH);
    const share = predictions.reduce((sum, each, at) => sum + Number(each === trained[at]), 0) / count;
    const message = `the integers predict as the model in training did for ${percent(share)} of ${count} samples`;
    context.log(share < LEAST_AGREEMENT ? "warn" : "info", message);
  } finally {
    await session.release();
  }
}

/** How the model answers held-out samples when it is quantized without training, and with. */
async function evidenceOf(
  { context, base, data }: AwareJob,
  float: Uint8Array,
  [untrained, trained]: [Uint8Array, Uint8Array],
  { validation }: Samples,
): Promise<Evidence | undefined> {
  if (!validation) return undefined;
  const { x, y } = validation;
  const split = { x: x.values, y, count: y.length };
  const judge = await openJudge(context, float, split, base.manifest.config, data);
  const evidence = {
    heldOutSamples: judge.samples,
    float: judge.float,
    untrained: await judge.judge(untrained),
    quantized: await judge.judge(trained),
  };
  const [before, after] = [evidence.untrained, evidence.quantized].map(({ accuracy }) => percent(accuracy));
  context.log("info", `held-out accuracy ${before} quantized without training, ${after} with`);
  return evidence;
}
