import { parse } from "@whittle/contracts";
import type { tf } from "@whittle/engine";
import type { ModelShape } from "./build.ts";
import { familyName } from "./catalog.ts";
import { builders } from "./generated/implementations.ts";

/**
 * Builds a model of a family; its outputs are logits [batch, classes]. The same arguments give the same layers, names and weights.
 * @throws AppError `invalid_request` when there is no such family, or its parameters are wrong or don't fit the shape.
 */
export function buildModel(family: string, params: unknown, shape: ModelShape): tf.LayersModel {
  return builders[parse(familyName, family, "The model family")](params, shape);
}

export type { ModelShape } from "./build.ts";
export { firstSamples, toFloat, type Dataset, type SampleLimit, type Split } from "./dataset.ts";
export { findDataset, loadDataset, type DatasetPlaces } from "./find.ts";
