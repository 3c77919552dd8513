import type { LayerConverter } from "../layer.ts";
import { activationLayers } from "./activation.ts";
import { convolutionLayers } from "./convolution.ts";
import { denseLayers } from "./dense.ts";
import { mergeLayers } from "./merge.ts";
import { normalizationLayers } from "./normalization.ts";
import { poolingLayers } from "./pooling.ts";
import { rearrangingLayers } from "./rearrange.ts";
import { shapeLayers } from "./shape.ts";

/** Keras layer class to its converter. */
export const layerConverters: ReadonlyMap<string, LayerConverter> = new Map(
  Object.entries({
    ...denseLayers,
    ...convolutionLayers,
    ...poolingLayers,
    ...normalizationLayers,
    ...activationLayers,
    ...shapeLayers,
    ...rearrangingLayers,
    ...mergeLayers,
  }),
);
