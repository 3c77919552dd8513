import { z } from "zod";
import { elementCount } from "../../proto/tensor.ts";
import { defineLayer, unsupportedLayer, type LayerConverter } from "../layer.ts";
import { reshapeTo, toPlain } from "../value.ts";

/** Flattens channels-first values as they lie, and leaves it to the next layer to know the order. */
const flatten = defineLayer(z.object({}), ({ graph, id, input }) => {
  if (input.shape.length === 1) return input;
  const channels = input.shape.at(-1) ?? 0;
  const [height = 0, width = 1] = input.shape.slice(0, -1);
  const size = elementCount(input.shape);
  const name = graph.emit("Flatten", [input.name], `${id}/flat`, [-1, size]);
  const moved = input.layout === "channelsFirst" && channels > 1 && height * width > 1;
  return moved
    ? { name, shape: [size], layout: "flattened", spatial: [height, width, channels] }
    : { name, shape: [size], layout: "plain" };
});

const reshape = defineLayer(z.object({ target_shape: z.array(z.int().nullable()) }), (context) => {
  const { graph, id, layer, config, input } = context;
  const known = config.target_shape.map((size) => (size === null || size < 0 ? undefined : size));
  const rest = elementCount(input.shape) / elementCount(known.map((size) => size ?? 1));
  const target = known.map((size) => size ?? rest);
  if (elementCount(target) !== elementCount(input.shape) || !Number.isInteger(rest)) {
    throw unsupportedLayer(
      layer,
      `[${input.shape.join(", ")}] does not fit target_shape [${config.target_shape.join(", ")}].`,
    );
  }
  return reshapeTo(graph, toPlain(graph, input), `${id}/reshaped`, target);
});

/** Only does something while training. */
const identity = defineLayer(z.object({}), ({ input }) => input);

export const shapeLayers: Record<string, LayerConverter> = {
  Flatten: flatten,
  Reshape: reshape,
  Dropout: identity,
  SpatialDropout2D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
};
