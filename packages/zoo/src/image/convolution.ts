/** What the convolutional families are built of. */
import { tf } from "@whittle/engine";
import { apply } from "../layers.ts";

interface Activated {
  /** What the layers' names begin with. */
  name: string;
  activation?: "relu" | "relu6";
}

interface Window {
  /** Height and width. */
  kernel: [number, number];
  stride?: number;
  seed: number;
}

/** Convolution (He initialization) -> batch normalization -> [activation]. */
export function convolve(value: tf.SymbolicTensor, options: Activated & Window & { filters: number }) {
  const { name, filters, kernel, stride = 1, seed } = options;
  const convolution = tf.layers.conv2d({
    name: `${name}_conv`,
    filters,
    kernelSize: kernel,
    strides: stride,
    padding: "same",
    // Batch normalization has a bias of its own.
    useBias: false,
    kernelInitializer: tf.initializers.heNormal({ seed }),
  });
  return normalize(apply(convolution, value), options);
}

/** Depthwise convolution, one filter for each channel -> batch normalization -> [activation]. */
export function convolveDepthwise(value: tf.SymbolicTensor, options: Activated & Window) {
  const { name, kernel, stride = 1, seed } = options;
  const convolution = tf.layers.depthwiseConv2d({
    name: `${name}_conv`,
    kernelSize: kernel,
    strides: [stride, stride],
    padding: "same",
    useBias: false,
    // He initialization by what a filter reads, its own channel; tfjs' heNormal counts all channels.
    depthwiseInitializer: tf.initializers.truncatedNormal({ stddev: Math.sqrt(2 / (kernel[0] * kernel[1])), seed }),
  });
  return normalize(apply(convolution, value), options);
}

/** The moving statistics follow as fast as in He et al., ten times faster than by Keras' default: a short training is enough. */
function normalize(value: tf.SymbolicTensor, { name, activation }: Activated): tf.SymbolicTensor {
  const normalized = apply(tf.layers.batchNormalization({ name: `${name}_norm`, momentum: 0.9 }), value);
  if (activation === undefined) return normalized;
  const limit = activation === "relu6" ? { maxValue: 6 } : {};
  return apply(tf.layers.reLU({ name: `${name}_relu`, ...limit }), normalized);
}
