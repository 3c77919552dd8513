import { AppError } from "@whittle/contracts";
import { assignWeights, modelWeights, tf, type FitOptions, type ModelWeights } from "@whittle/engine";
import type { LayerCall, QuantizationParameters } from "@whittle/onnx";
import { FakeQuantize } from "./activation.ts";
import { learnedStep, straightThrough } from "./fake-quantize.ts";
import { buildNetwork, insertAfter, kernelOf, type Network } from "./network.ts";

/** A network whose weights and activations are quantized as they will be in ONNX. */
export interface AwareModel {
  /** With a {@link FakeQuantize} layer wherever an activation becomes uint8, and the steps of the weights as weights besides. */
  model: tf.LayersModel;
  /** For the training: the quantized weights in the place of the weights. */
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
  const reparametrize: AwareModel["reparametrize"] = (name, weight) => kernels.get(name)?.quantize(weight) ?? weight;
  const finish = (): Finished => {
    roundWeights(model, kernels);
    const own = Object.entries(modelWeights(model)).filter(([name]) => network.weights[name] !== undefined);
    const scales = new Map([...kernels.values()].map(({ tensor, steps }) => [tensor, steps()]));
    const learned = activations.map(({ group, params, layer }) => {
      const scale = activationStep(model, layer.name);
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
  const { tensors, parameters, learned } = quantization;
  return [...parameters.activations].map(([group, params]) => {
    const call = network.calls.find(({ id }) => parameters.groups.get(tensors.get(id) ?? "") === group)?.id;
    if (call === undefined) throw new AppError("internal", `No layer gives ${group}, which is quantized`);
    const { scale: step, zeroPoint, qmin, qmax } = params;
    const name = `${call.replaceAll(":", "_")}_quantized`;
    const config = { name, trainable: learned, step, low: qmin - zeroPoint, high: qmax - zeroPoint };
    return { group, params, call, layer: { name, className: FakeQuantize.className, config } };
  });
}

function activationStep(model: tf.LayersModel, name: string): number {
  const layer = model.getLayer(name);
  if (layer instanceof FakeQuantize) return layer.step();
  throw new AppError("internal", `${name} is no FakeQuantize`);
}

interface QuantizedKernel {
  /** Its name in the exported graph. */
  tensor: string;
  quantize: (weight: tf.Tensor) => tf.Tensor;
  steps: () => Float32Array;
}

/** The kernels that become integers, by their names in the weight manifest. Each layer gets the logarithms of its steps as a weight. */
function quantizedKernels(
  model: tf.LayersModel,
  { parameters, bits, learned }: Quantization,
): Map<string, QuantizedKernel> {
  const high = 2 ** (bits - 1) - 1;
  const quantizer = learned ? learnedStep : straightThrough;
  const kernels = [...parameters.scales].map(([tensor, scales]) => {
    const layer = model.getLayer(tensor.slice(0, tensor.lastIndexOf("/kernel")));
    const name = kernelOf(layer.name, layer.getClassName()) ?? "";
    const logSteps = addLogSteps(layer, name, scales, learned);
    const steps = () => tf.exp(logSteps.read());
    const quantize = (weight: tf.Tensor) =>
      quantizer(weight, steps(), { low: -high, high }, weight.size / scales.length);
    return [name, { tensor, quantize, steps: () => tf.tidy(() => Float32Array.from(steps().dataSync())) }] as const;
  });
  return new Map(kernels);
}

/** One for each place of the kernel's last axes, or one in all. */
function addLogSteps(
  layer: tf.layers.Layer,
  kernel: string,
  scales: Float32Array,
  trainable: boolean,
): tf.LayerVariable {
  const shape = (layer.weights.find(({ originalName }) => originalName === kernel)?.shape ?? []).map(Number);
  const sizes = shape.map((_size, axis) => shape.slice(axis).reduce((product, size) => product * size, 1));
  const axis = sizes.lastIndexOf(scales.length);
  const ofSteps = scales.length === 1 || axis < 0 ? [] : shape.slice(axis);
  const logarithms = tf.tensor(scales.map(Math.log), ofSteps);
  const variable = new tf.LayerVariable(logarithms, "float32", `${kernel}_step`, trainable);
  logarithms.dispose();
  layer.trainableWeights = [...layer.trainableWeights, variable];
  return variable;
}

/** Gives the model the values that its quantized weights stand for; quantizing them again changes nothing. */
function roundWeights(model: tf.LayersModel, kernels: ReadonlyMap<string, QuantizedKernel>): void {
  const weights = modelWeights(model);
  for (const [name, { quantize }] of kernels) {
    const { shape, data } = weights[name] ?? { shape: [], data: new Float32Array() };
    const rounded = tf.tidy(() => Float32Array.from(quantize(tf.tensor(data, shape)).dataSync()));
    weights[name] = { shape, data: rounded };
  }
  assignWeights(model, weights);
}
