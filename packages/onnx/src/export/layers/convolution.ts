import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerContext, type LayerConverter } from "../layer.ts";
import { onnxShape, toChannelsFirst, type Value } from "../value.ts";
import { activate, activationConfig } from "./activation.ts";
import { sizePair, slide, windowConfig } from "./window.ts";

const convolutionConfig = activationConfig.extend(windowConfig.shape).extend({
  kernel_size: sizePair,
  dilation_rate: sizePair.default([1, 1]),
  use_bias: z.boolean().default(true),
});
type Context = LayerContext<z.output<typeof convolutionConfig>>;

/** A [H, W, A, B] kernel with its axes in another order. */
function permuteKernel(shape: readonly number[], data: Float32Array, order: readonly number[]): Float32Array {
  const strides = shape.map((_size, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const [d0 = 0, d1 = 0, d2 = 0, d3 = 0] = order.map((axis) => shape[axis]);
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = order.map((axis) => strides[axis]);
  const permuted = new Float32Array(data.length);
  let at = 0;
  for (let i = 0; i < d0; i++)
    for (let j = 0; j < d1; j++)
      for (let k = 0; k < d2; k++)
        for (let l = 0; l < d3; l++) permuted[at++] = data[i * s0 + j * s1 + k * s2 + l * s3] ?? 0;
  return permuted;
}

/** Emits a Conv of a kernel given as [out channels, in channels per group, H, W]. */
function convolve(context: Context, kernel: string, channels: number, group: number): Value {
  const { graph, id, layer, config, weight } = context;
  const input = toChannelsFirst(graph, context.input);
  const [dilateY, dilateX] = config.dilation_rate;
  const [kernelY, kernelX] = config.kernel_size;
  const extent = [(kernelY - 1) * dilateY + 1, (kernelX - 1) * dilateX + 1] as const;
  const { attributes, size } = slide(layer, input.shape, extent, config);
  const value: Value = { name: `${id}/conv`, shape: [...size, channels], layout: "channelsFirst" };
  const inputs = [input.name, kernel];
  if (config.use_bias) inputs.push(graph.constant(`${layer.name}/bias`, [channels], weight("bias").data));
  graph.emit("Conv", inputs, value.name, onnxShape(value), {
    kernel_shape: config.kernel_size,
    dilations: config.dilation_rate,
    ...attributes,
    group,
  });
  return activate(context, value, config.activation);
}

const conv2d = defineLayer(convolutionConfig, (context) => {
  const { shape, data } = context.weight("kernel");
  const [height = 0, width = 0, inputs = 0, filters = 0] = shape;
  const kernel = permuteKernel(shape, data, [3, 2, 0, 1]);
  const name = context.graph.constant(`${context.layer.name}/kernel`, [filters, inputs, height, width], kernel);
  return convolve(context, name, filters, 1);
});

/** Keras' kernel is [H, W, channels, multiplier]; the filters of a channel lie together in the output, in ONNX as in Keras. */
const depthwiseConv2d = defineLayer(convolutionConfig, (context) => {
  if (context.config.dilation_rate.some((rate) => rate !== 1)) {
    throw unsupportedLayer(context.layer, "its dilation_rate is not 1, which tfjs does not heed either.");
  }
  const { shape, data } = context.weight("depthwise_kernel");
  const [height = 0, width = 0, channels = 0, multiplier = 0] = shape;
  const filters = channels * multiplier;
  const kernel = permuteKernel(shape, data, [2, 3, 0, 1]);
  const name = context.graph.constant(`${context.layer.name}/kernel`, [filters, 1, height, width], kernel);
  return convolve(context, name, filters, channels);
});

export const convolutionLayers: Record<string, LayerConverter> = {
  Conv2D: conv2d,
  DepthwiseConv2D: depthwiseConv2d,
};
