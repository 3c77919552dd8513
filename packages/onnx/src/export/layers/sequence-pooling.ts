import { z } from "zod";
import { defineLayer, type LayerConverter } from "../layer.ts";
import { onnxShape } from "../value.ts";

/** Pools [T, C] over T, which is the last axis where channels lie first. */
function overSteps(opType: "ReduceMax" | "ReduceMean"): LayerConverter {
  return defineLayer(z.object({}), ({ graph, id, input }) => {
    const channels = input.shape.at(-1) ?? 0;
    const axis = input.layout === "channelsFirst" ? onnxShape(input).length - 1 : 1;
    const axes = graph.constant(`${id}/axes`, [1], BigInt64Array.of(BigInt(axis)));
    const name = graph.emit(opType, [input.name, axes], `${id}/pool`, [-1, channels], { keepdims: 0 });
    return { name, shape: [channels], layout: "plain" };
  });
}

export const sequencePoolingLayers: Record<string, LayerConverter> = {
  GlobalMaxPooling1D: overSteps("ReduceMax"),
  GlobalAveragePooling1D: overSteps("ReduceMean"),
};
