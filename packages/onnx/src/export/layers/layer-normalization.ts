import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerConverter } from "../layer.ts";
import { toPlain } from "../value.ts";

const config = z.object({
  axis: z.union([z.int(), z.array(z.int()).length(1)]).default(-1),
  epsilon: z.number().default(1e-3),
  scale: z.boolean().default(true),
  center: z.boolean().default(true),
});

/** y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the variance of each step's last axis. */
const layerNormalization = defineLayer(config, ({ graph, id, layer, config: settings, input, weight }) => {
  const { epsilon, scale, center } = settings;
  const plain = toPlain(graph, input);
  const [axis = -1] = [settings.axis].flat();
  if (axis !== -1 && axis !== plain.shape.length) throw unsupportedLayer(layer, `its axis ${axis} is not the last.`);
  const width = plain.shape.at(-1) ?? 0;
  const gamma = scale ? weight("gamma").data : new Float32Array(width).fill(1);
  const inputs = [plain.name, graph.constant(`${layer.name}/gamma`, [width], gamma)];
  if (center) inputs.push(graph.constant(`${layer.name}/beta`, [width], weight("beta").data));
  const attributes = { axis: -1, epsilon: { float: epsilon } };
  const name = graph.emit("LayerNormalization", inputs, `${id}/normalized`, [-1, ...plain.shape], attributes);
  return { ...plain, name };
});

export const layerNormalizationLayers: Record<string, LayerConverter> = { LayerNormalization: layerNormalization };
