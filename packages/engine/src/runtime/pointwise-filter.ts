import { z } from "zod";
import { tf } from "../tf.ts";

const kernelName = "Conv2DBackpropFilter";

const pair = z.tuple([z.number(), z.number()]);
const attrsSchema = z.object({
  strides: z.union([z.number().transform((side): [number, number] => [side, side]), pair]),
  filterShape: z.array(z.number()),
  dataFormat: z.string(),
});

/**
 * Takes the gradient of a strided 1x1 convolution's filter from the samples that the filter reads, x^T dy in one product: the same
 * numbers. TensorFlow 2.21's own kernel on CPUs writes beyond its memory where there are fewer than 16 input channels and more
 * outputs ([32, 28, 28, 8] to 16 channels at stride 2, say), and the process dies.
 */
export function replacePointwiseFilterGradient(): void {
  const original = tf.getKernel(kernelName, "tensorflow");
  tf.unregisterKernel(kernelName, "tensorflow");
  tf.registerKernel({
    ...original,
    kernelFunc: (params) => {
      const { strides, filterShape, dataFormat } = attrsSchema.parse(params.attrs);
      const { x, dy } = params.inputs;
      const isStridedPointwise = filterShape[0] === 1 && filterShape[1] === 1 && strides.some((stride) => stride > 1);
      const canTake = x instanceof tf.Tensor && dy instanceof tf.Tensor && dataFormat === "NHWC";
      if (!isStridedPointwise || !canTake) return original.kernelFunc(params);
      return tf.tidy(() => tf.reshape(filterGradient(x, dy, strides), filterShape));
    },
  });
}

/** [inChannels, outChannels]. */
function filterGradient(x: tf.Tensor, dy: tf.Tensor, strides: [number, number]): tf.Tensor {
  const read = tf.stridedSlice(x, [0, 0, 0, 0], x.shape, [1, ...strides, 1]);
  const [inChannels, outChannels] = [x.shape[3] ?? 1, dy.shape[3] ?? 1];
  return tf.matMul(tf.reshape(read, [-1, inChannels]), tf.reshape(dy, [-1, outChannels]), true);
}
