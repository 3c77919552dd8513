import type { LayerConverter } from "../layer.ts";
import { activationLayers } from "./activation.ts";
import { attentionLayers } from "./attention.ts";
import { concatenateLayers } from "./concatenate.ts";
import { convolution1dLayers } from "./convolution-1d.ts";
import { convolutionLayers } from "./convolution.ts";
import { denseLayers } from "./dense.ts";
import { embeddingLayers } from "./embedding.ts";
import { layerNormalizationLayers } from "./layer-normalization.ts";
import { mergeLayers } from "./merge.ts";
import { normalizationLayers } from "./normalization.ts";
import { poolingLayers } from "./pooling.ts";
import { rearrangingLayers } from "./rearrange.ts";
import { recurrentLayers } from "./recurrent.ts";
import { sequencePoolingLayers } from "./sequence-pooling.ts";
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
    ...attentionLayers,
    ...concatenateLayers,
    ...convolution1dLayers,
    ...embeddingLayers,
    ...layerNormalizationLayers,
    ...recurrentLayers,
    ...sequencePoolingLayers,
  }),
);
