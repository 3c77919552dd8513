import { AppError } from "@whittle/contracts";
import { assignWeights, modelWeights, tf, type FitOptions, type ModelWeights } from "@whittle/engine";
import type { LayerCall, QuantizationParameters } from "@whittle/onnx";
import { buildNetwork, insertAfter, type Network } from "../../shared/network/network.ts";
import { FakeQuantize } from "./activation.ts";
import { hasIntegerBias, quantizeBias, quantizedKernels, type QuantizedKernel } from "./quantized-weights.ts";

/** A network whose weights and activations are quantized as they will be in ONNX. */
export interface AwareModel {
  /** With a {@link FakeQuantize} layer wherever an activation becomes uint8, and the steps of the weights as weights besides. */
  model: tf.LayersModel;
  /** For the training: the quantized kernels and biases in the place of these. */
  reparametrize: NonNullable<FitOptions["reparametrize"]>;
  /** Rounds the model's weights for good. @returns those of the network, and the scales that go with them. */
  finish(): Finished;
  dispose(): void;
}

type QuantParams = QuantizationParameters["activations"] extends ReadonlyMap<string, infer P> ? P : never;

interface Finished {
  weights: ModelWeights;
  given: Pick<QuantizationParameters, "activations" | "scales">;
}

/** What the model is quantized to, and how. */
export interface Quantization {
  /** Where the network's outputs are in the exported graph, by the ids of its calls. */
  tensors: ReadonlyMap<string, string>;
  /** What the training begins with. */
  parameters: QuantizationParameters;
  /** Of a weight, at least 2. */
  bits: number;
  /** Whether the steps are learned. */
  learned: boolean;
}

/** @throws AppError `internal` when the graph's activations are not all found in the network. */
export async function createAwareModel(network: Network, quantization: Quantization): Promise<AwareModel> {
  const activations = quantizedActivations(network, quantization);
  const layers = new Map(activations.map(({ call, layer }) => [call, layer]));
  const model = await buildNetwork(insertAfter(network, layers));
  const kernels = quantizedKernels(model, quantization);
  const steps = new Map(activations.map(({ group, layer }) => [group, stepOf(model, layer.name)]));
  const quantizers = new Map([
    ...kernels.map(({ name, quantize }) => [name, quantize] as const),
    ...quantizedBiases(network, quantization, kernels, steps),
  ]);
  const reparametrize: AwareModel["reparametrize"] = (name, weight) => quantizers.get(name)?.(weight) ?? weight;
  const finish = (): Finished => {
    roundWeights(model, quantizers);
    const own = Object.entries(modelWeights(model)).filter(([name]) => network.weights[name] !== undefined);
    const scales = new Map(kernels.map((kernel) => [kernel.tensor, read(kernel.steps)]));
    const learned = activations.map(({ group, params }) => {
      const [scale = params.scale] = read(steps.get(group));
      return [group, { ...params, scale }] as const;
    });
    return { weights: Object.fromEntries(own), given: { scales, activations: new Map(learned) } };
  };
  return { model, reparametrize, finish, dispose: () => model.dispose() };
}

interface QuantizedActivation {
  /** Its name in the exported graph. */
  group: string;
  params: QuantParams;
  /** The first call of the network that gives it. */
  call: string;
  /** The layer that quantizes it after that. */
  layer: LayerCall["layer"];
}

function quantizedActivations(network: Network, quantization: Quantization): QuantizedActivation[] {
  const { parameters, learned } = quantization;
  return [...parameters.activations].map(([group, params]) => {
    const call = network.calls.find(({ id }) => groupOf(quantization, id) === group)?.id;
    if (call === undefined) throw new AppError("internal", `No layer gives ${group}, which is quantized`);
    const { scale: step, zeroPoint, qmin, qmax } = params;
    const name = `${call.replaceAll(":", "_")}_quantized`;
    const config = { name, trainable: learned, step, low: qmin - zeroPoint, high: qmax - zeroPoint };
    return { group, params, call, layer: { name, className: FakeQuantize.className, config } };
  });
}

/** The activation of the graph with whose step the output of a call is quantized; undefined where it is not. */
function groupOf({ tensors, parameters }: Quantization, call: string): string | undefined {
  return parameters.groups.get(tensors.get(call) ?? "");
}

type Step = () => tf.Tensor;

function stepOf(model: tf.LayersModel, name: string): Step {
  const layer = model.getLayer(name);
  if (layer instanceof FakeQuantize) return () => layer.step();
  throw new AppError("internal", `${name} is no FakeQuantize`);
}

/** The biases that become int32, by their names. That of a layer which reads several activations is another in each place, and stays. */
function quantizedBiases(
  { calls }: Network,
  quantization: Quantization,
  kernels: readonly QuantizedKernel[],
  steps: ReadonlyMap<string, Step>,
) {
  return kernels.filter(hasIntegerBias).flatMap((kernel) => {
    const { name } = kernel.layer;
    const uses = calls.filter(({ layer }) => layer.name === name);
    const [group = "", ...others] = new Set(uses.map(({ inputs: [input = ""] }) => groupOf(quantization, input)));
    const step = steps.get(group);
    return step && others.length === 0 ? [[`${name}/bias`, quantizeBias(kernel, step)] as const] : [];
  });
}

function read(step: Step | undefined): Float32Array {
  return tf.tidy(() => Float32Array.from(step?.().dataSync() ?? []));
}

/** Gives the model the values that its quantized weights stand for; quantizing them again changes nothing. */
function roundWeights(model: tf.LayersModel, quantizers: ReadonlyMap<string, (weight: tf.Tensor) => tf.Tensor>): void {
  const weights = modelWeights(model);
  for (const [name, { shape, data }] of Object.entries(weights)) {
    const quantize = quantizers.get(name);
    if (!quantize) continue;
    const rounded = tf.tidy(() => Float32Array.from(quantize(tf.tensor(data, shape)).dataSync()));
    weights[name] = { shape, data: rounded };
  }
  assignWeights(model, weights);
}
