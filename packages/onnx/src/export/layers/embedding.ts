import { z } from "zod";
import { DataType } from "../../proto/tensor.ts";
import { defineLayer, unsupportedLayer, type LayerConverter } from "../layer.ts";
import { toPlain } from "../value.ts";

/** Token ids come in as FP32, as every input does, and are cut to whole numbers as tfjs does. */
const embedding = defineLayer(z.object({ mask_zero: z.boolean().nullish() }), (context) => {
  const { graph, id, layer, config, weight } = context;
  if (config.mask_zero)
    throw unsupportedLayer(layer, "mask_zero is on, which would make later layers leave out steps.");
  const input = toPlain(graph, context.input);
  const { shape: table, data } = weight("embeddings");
  const shape = [...input.shape, table[1] ?? 0];
  const tokens = graph.cast(input.name, `${id}/tokens`, DataType.INT32);
  const tableName = graph.constant(`${layer.name}/embeddings`, table, data);
  return { name: graph.emit("Gather", [tableName, tokens], `${id}/embedded`, [-1, ...shape]), shape, layout: "plain" };
});

export const embeddingLayers: Record<string, LayerConverter> = { Embedding: embedding };
