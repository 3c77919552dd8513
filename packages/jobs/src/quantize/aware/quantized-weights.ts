import { tf } from "@whittle/engine";
import type { QuantizationParameters } from "@whittle/onnx";
import { kernelOf } from "../../shared/network/network.ts";
import { learnedStep, straightThrough } from "./fake-quantize.ts";

/** Gives a weight the values that its integers stand for, as a part of the training. */
type Quantize = (weight: tf.Tensor) => tf.Tensor;

/** A kernel that becomes integers. */
export interface QuantizedKernel {
  /** Its names in the weight manifest and in the exported graph. */
  name: string;
  tensor: string;
  layer: tf.layers.Layer;
  quantize: Quantize;
  /** As they are now: one for each place of the kernel's last axes, or a scalar. */
  steps: () => tf.Tensor;
}

/** How kernels become integers. */
interface KernelScheme {
  parameters: QuantizationParameters;
  /** At least 2. */
  bits: number;
  /** Whether the steps are learned. */
  learned: boolean;
}

/** The kernels that become integers. Each layer gets the logarithms of its steps as a weight. */
export function quantizedKernels(
  model: tf.LayersModel,
  { parameters, bits, learned }: KernelScheme,
): QuantizedKernel[] {
  const high = 2 ** (bits - 1) - 1;
  const quantizer = learned ? learnedStep : straightThrough;
  return [...parameters.scales].map(([tensor, scales]) => {
    const layer = model.getLayer(tensor.slice(0, tensor.lastIndexOf("/kernel")));
    const name = kernelOf(layer.name, layer.getClassName()) ?? "";
    const logSteps = addLogSteps(layer, name, scales, learned);
    const steps = () => tf.exp(logSteps.read());
    const quantize: Quantize = (weight) =>
      quantizer(weight, steps(), { low: -high, high }, weight.size / scales.length);
    return { name, tensor, layer, quantize, steps };
  });
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

const int32 = { low: -(2 ** 31), high: 2 ** 31 - 1 };

/**
 * How a layer's bias becomes int32: multiples of the input's step times the weights', which are learned where those are; the bias itself
 * has none.
 * @param inputStep what the layer reads is a multiple of it; a scalar
 */
export function quantizeBias({ steps }: QuantizedKernel, inputStep: () => tf.Tensor): Quantize {
  return (bias) => straightThrough(bias, tf.mul(inputStep(), tf.reshape(steps(), [-1])), int32, 1);
}

/** Whether a layer's bias is a part of its integer arithmetic; a dense layer on more than one axis adds it to floats. */
export function hasIntegerBias({ layer }: QuantizedKernel): boolean {
  const [input] = [layer.getInputAt(0)].flat();
  return layer.getClassName() !== "Dense" || input?.shape.length === 2;
}
