import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerConverter } from "../layer.ts";
import { onnxShape, toSameLayout } from "../value.ts";

const add = defineLayer(z.object({}), ({ graph, id, layer, inputs }) => {
  const [first, ...rest] = toSameLayout(graph, inputs);
  if (!first || rest.some(({ shape }) => shape.join() !== first.shape.join())) {
    throw unsupportedLayer(layer, "it adds values of different shapes.");
  }
  let sum = first.name;
  for (const [at, { name }] of rest.entries()) {
    sum = graph.emit("Add", [sum, name], at === rest.length - 1 ? `${id}/sum` : `${id}/sum_${at}`, onnxShape(first));
  }
  return { ...first, name: sum };
});

export const mergeLayers: Record<string, LayerConverter> = { Add: add };
