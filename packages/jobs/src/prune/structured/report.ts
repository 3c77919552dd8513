import type { tf } from "@whittle/engine";
import { percent } from "../../shared/training.ts";
import type { Curve } from "../sensitivity.ts";
import { countsOf } from "./cost.ts";
import { dependenciesOf, type Dependencies } from "./dependencies.ts";
import type { Pruning } from "./remove.ts";

/** Channels of a layer from which some could be removed. */
export interface LayerChange {
  layer: string;
  before: number;
  after: number;
}

export interface PruningReport {
  before: { macs: number; parameters: number };
  after: { macs: number; parameters: number };
  layers: LayerChange[];
  /** Layers around which nothing can be removed. */
  opaque: Dependencies["opaque"];
  sensitivity?: Curve[];
}

/** Compares a model with what it was made from. */
export function reportOf({ model, base }: Pruning, smaller: tf.LayersModel, sensitivity?: Curve[]): PruningReport {
  const { config } = base.manifest;
  const { sizes, groups, opaque } = dependenciesOf(model);
  const prunable = new Set(groups.flatMap((group) => group.layers));
  const left = new Map(dependenciesOf(smaller).sizes.map(({ layer, channels }) => [layer, channels.length]));
  const layers = sizes
    .filter(({ layer }) => prunable.has(layer))
    .map(({ layer, channels }) => {
      const before = channels.length;
      return { layer, before, after: left.get(layer) ?? before };
    });
  const counts = { before: countsOf(model, config), after: countsOf(smaller, config) };
  return { ...counts, layers, opaque, ...(sensitivity && { sensitivity }) };
}

/** What was removed, a line for each layer and one for the whole. */
export function describeReport({ layers, before, after }: PruningReport): string[] {
  const changed = layers.map(({ layer, before: had, after: has }) => `${layer}: ${has} of ${had} channels are left`);
  const saved = (what: "macs" | "parameters") =>
    `${after[what]} of ${before[what]} (-${percent(1 - after[what] / before[what])})`;
  return [...changed, `multiply-accumulates: ${saved("macs")}; parameters: ${saved("parameters")}`];
}
