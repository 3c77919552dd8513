import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerConverter } from "../layer.ts";
import { onnxShape, toPlain, toSameLayout } from "../value.ts";

/** Joins values along their last axis: Keras' channels, which are ONNX' axis 1 where channels lie first. */
const concatenate = defineLayer(z.object({ axis: z.int().nullish() }), ({ graph, id, layer, config, inputs }) => {
  const rank = (inputs[0]?.shape.length ?? 0) + 1;
  const axis = config.axis ?? -1;
  if (axis !== -1 && axis !== rank - 1) throw unsupportedLayer(layer, `its axis ${axis} is not the last.`);
  const flattened = inputs.some(({ layout }) => layout === "flattened");
  const values = flattened ? inputs.map((each) => toPlain(graph, each)) : toSameLayout(graph, inputs);
  const [first] = values;
  if (!first) throw unsupportedLayer(layer, "it has no input.");
  const channels = values.reduce((sum, { shape }) => sum + (shape.at(-1) ?? 0), 0);
  const joined = { ...first, name: `${id}/joined`, shape: [...first.shape.slice(0, -1), channels] };
  const names = values.map(({ name }) => name);
  graph.emit("Concat", names, joined.name, onnxShape(joined), {
    axis: first.layout === "channelsFirst" ? 1 : rank - 1,
  });
  return joined;
});

export const concatenateLayers: Record<string, LayerConverter> = { Concatenate: concatenate };
