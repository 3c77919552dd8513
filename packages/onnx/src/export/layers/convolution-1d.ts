import { z } from "zod";
import { defineLayer, type LayerConverter } from "../layer.ts";
import { onnxShape, toChannelsFirst, type Value } from "../value.ts";
import { activate, activationConfig } from "./activation.ts";
import { slide } from "./window.ts";

const size = z.union([z.int().positive(), z.tuple([z.int().positive()]).transform(([only]) => only)]);

const config = activationConfig.extend({
  kernel_size: size,
  strides: size,
  dilation_rate: size.default(1),
  padding: z.enum(["same", "valid"]),
  data_format: z.string().nullish(),
  use_bias: z.boolean().default(true),
});

/** A [T, A, B] kernel as [B, A, T]. */
function channelsFirstKernel(
  [width = 0, inputs = 0, filters = 0]: readonly number[],
  data: Float32Array,
): Float32Array {
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let filter = 0; filter < filters; filter++)
    for (let input = 0; input < inputs; input++)
      for (let step = 0; step < width; step++) moved[at++] = data[(step * inputs + input) * filters + filter] ?? 0;
  return moved;
}

const conv1d = defineLayer(config, (context) => {
  const { graph, id, layer, config: settings, weight } = context;
  const { padding, strides, dilation_rate, data_format } = settings;
  const input = toChannelsFirst(graph, context.input);
  const { shape, data } = weight("kernel");
  const [width = 0, inputs = 0, filters = 0] = shape;
  const extent = [(width - 1) * dilation_rate + 1, 1] as const;
  const window = { padding, strides: [strides, 1] as [number, number], data_format };
  // A window over [T, 1], of which ONNX takes the part that is about T.
  const { attributes, size: slid } = slide(layer, [input.shape[0] ?? 0, 1], extent, window);
  const [before = 0, , after = 0] = attributes["pads"] ?? [];
  const value: Value = { name: `${id}/conv`, shape: [slid[0], filters], layout: "channelsFirst" };
  const kernel = channelsFirstKernel(shape, data);
  const names = [input.name, graph.constant(`${layer.name}/kernel`, [filters, inputs, width], kernel)];
  if (settings.use_bias) names.push(graph.constant(`${layer.name}/bias`, [filters], weight("bias").data));
  graph.emit("Conv", names, value.name, onnxShape(value), {
    kernel_shape: [width],
    dilations: [dilation_rate],
    strides: [strides],
    pads: [before, after],
    group: 1,
  });
  return activate(context, value, settings.activation);
});

export const convolution1dLayers: Record<string, LayerConverter> = { Conv1D: conv1d };
