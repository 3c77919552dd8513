import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerConverter } from "../layer.ts";
import { onnxShape, toPlain, type Value } from "../value.ts";
import { checkChannelsLast } from "./window.ts";

/** `dims` counts Keras' axes from 1, the batch being 0. */
const permute = defineLayer(z.object({ dims: z.array(z.int().positive()) }), ({ graph, id, layer, config, input }) => {
  const { dims } = config;
  const plain = toPlain(graph, input);
  if (dims.toSorted((a, b) => a - b).join() !== plain.shape.map((_size, at) => at + 1).join()) {
    throw unsupportedLayer(layer, `dims [${dims.join(", ")}] don't order the ${plain.shape.length} axes of its input.`);
  }
  const shape = dims.map((axis) => plain.shape[axis - 1] ?? 0);
  const name = graph.emit("Transpose", [plain.name], `${id}/permuted`, [-1, ...shape], { perm: [0, ...dims] });
  return { name, shape, layout: "plain" };
});

const paddingPair = z.tuple([z.int().nonnegative(), z.int().nonnegative()]);
const zeroPaddingConfig = z.object({
  padding: z.tuple([paddingPair, paddingPair]),
  data_format: z.string().nullish(),
});

/** Pads [H, W, C] with zeros: rows above and below, columns before and after. */
const zeroPadding = defineLayer(zeroPaddingConfig, ({ graph, id, layer, config, input }) => {
  checkChannelsLast(layer, config);
  const value: Value = input.layout === "flattened" ? toPlain(graph, input) : input;
  const [[top, bottom], [left, right]] = config.padding;
  const [height = 0, width = 0, channels = 0] = value.shape;
  const padded: Value = {
    ...value,
    name: `${id}/padded`,
    shape: [height + top + bottom, width + left + right, channels],
  };
  const ends =
    value.layout === "channelsFirst" ? [0, 0, top, left, 0, 0, bottom, right] : [0, top, left, 0, 0, bottom, right, 0];
  const pads = graph.constant(`${id}/pads`, [ends.length], BigInt64Array.from(ends.map(BigInt)));
  graph.emit("Pad", [value.name, pads], padded.name, onnxShape(padded));
  return padded;
});

export const rearrangingLayers: Record<string, LayerConverter> = { Permute: permute, ZeroPadding2D: zeroPadding };
