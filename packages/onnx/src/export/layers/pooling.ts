import { z } from "zod";
import { defineLayer, type LayerConverter } from "../layer.ts";
import { onnxShape, toChannelsFirst, type Value } from "../value.ts";
import { sizePair, slide, windowConfig } from "./window.ts";

const poolConfig = windowConfig.extend({ pool_size: sizePair });

/** Padding takes no part in an average or a maximum, in ONNX (count_include_pad 0) as in TensorFlow. */
function pool(opType: string): LayerConverter {
  return defineLayer(poolConfig, ({ graph, id, layer, config, input }) => {
    const from = toChannelsFirst(graph, input);
    const { attributes, size } = slide(layer, from.shape, config.pool_size, config);
    const value: Value = { name: `${id}/pool`, shape: [...size, from.shape[2] ?? 0], layout: "channelsFirst" };
    graph.emit(opType, [from.name], value.name, onnxShape(value), { kernel_shape: config.pool_size, ...attributes });
    return value;
  });
}

const globalAverage = defineLayer(z.object({}), ({ graph, id, input }) => {
  const from = toChannelsFirst(graph, input);
  const channels = from.shape[2] ?? 0;
  const pooled = graph.emit("GlobalAveragePool", [from.name], `${id}/pool`, [-1, channels, 1, 1]);
  return {
    name: graph.emit("Flatten", [pooled], `${id}/flat`, [-1, channels]),
    shape: [channels],
    layout: "plain",
  };
});

export const poolingLayers: Record<string, LayerConverter> = {
  MaxPooling2D: pool("MaxPool"),
  AveragePooling2D: pool("AveragePool"),
  GlobalAveragePooling2D: globalAverage,
};
