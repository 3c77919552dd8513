import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerContext, type LayerConverter } from "../layer.ts";
import { onnxShape, toPlain, type Value } from "../value.ts";

const normalizationConfig = z.object({
  axis: z
    .union([
      z.int(),
      z
        .array(z.int())
        .length(1)
        .transform(([axis]) => axis ?? -1),
    ])
    .default(-1),
  epsilon: z.number().default(1e-3),
  scale: z.boolean().default(true),
  center: z.boolean().default(true),
});
type Context = LayerContext<z.output<typeof normalizationConfig>>;

function parameters({ config, weight }: Context) {
  const mean = weight("moving_mean").data;
  return {
    gamma: config.scale ? weight("gamma").data : new Float32Array(mean.length).fill(1),
    beta: config.center ? weight("beta").data : new Float32Array(mean.length),
    moving_mean: mean,
    moving_variance: weight("moving_variance").data,
  };
}

/** y = gamma (x - mean) / sqrt(variance + epsilon) + beta over the channels, with the moving statistics. */
const batchNormalization = defineLayer(normalizationConfig, (context) => {
  const { graph, id, layer, config, input } = context;
  const rank = input.shape.length + 1;
  if (config.axis !== -1 && config.axis !== rank - 1)
    throw unsupportedLayer(layer, `its axis ${config.axis} is not the last.`);
  const value: Value = input.layout === "flattened" ? toPlain(graph, input) : input;
  if (value.layout === "plain" && rank !== 2) return onLastAxis(context, value);
  const inputs = Object.entries(parameters(context)).map(([name, data]) =>
    graph.constant(`${layer.name}/${name}`, [data.length], data),
  );
  const epsilon = { float: config.epsilon };
  return {
    ...value,
    name: graph.emit("BatchNormalization", [value.name, ...inputs], `${id}/normalized`, onnxShape(value), { epsilon }),
  };
});

/** ONNX normalizes axis 1 only; where the channels are last, the same is written as a factor and a term. */
function onLastAxis(context: Context, value: Value): Value {
  const { graph, id, config } = context;
  const { gamma, beta, moving_mean, moving_variance } = parameters(context);
  const factor = gamma.map((each, c) => each / Math.sqrt((moving_variance[c] ?? 0) + config.epsilon));
  const term = beta.map((each, c) => each - (moving_mean[c] ?? 0) * (factor[c] ?? 0));
  const shape = onnxShape(value);
  const factorName = graph.constant(`${id}/factor`, [factor.length], factor);
  const termName = graph.constant(`${id}/term`, [term.length], term);
  const scaled = graph.emit("Mul", [value.name, factorName], `${id}/scaled`, shape);
  return { ...value, name: graph.emit("Add", [scaled, termName], `${id}/normalized`, shape) };
}

export const normalizationLayers: Record<string, LayerConverter> = { BatchNormalization: batchNormalization };
