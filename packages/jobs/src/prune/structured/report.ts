import { canonicalJson, type ArtifactDraft } from "@whittle/contracts";
import type { tf } from "@whittle/engine";
import { percent } from "../../shared/training.ts";
import { lineChart } from "../../shared/plot.ts";
import { countsOf } from "./cost.ts";
import { dependenciesOf, type Dependencies } from "./dependencies.ts";
import type { Pruning } from "./remove.ts";
import type { Curve } from "./sensitivity.ts";

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

/** The report as a file of the artifact, and the curves as a picture. */
export function reportFiles(report: PruningReport): ArtifactDraft["files"] {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const json = { path: "pruning.json", mediaType: "application/json", bytes: bytes(canonicalJson(report)) };
  const files: ArtifactDraft["files"] = [{ ...json, role: "report" }];
  if (report.sensitivity) {
    const plot = { path: "sensitivity.svg", mediaType: "image/svg+xml", bytes: bytes(plotOf(report.sensitivity)) };
    files.push({ ...plot, role: "report" });
  }
  return files;
}

function plotOf(curves: Curve[]): string {
  return lineChart({
    title: "Accuracy when one layer alone loses channels",
    x: { label: "Channels removed", unit: "%" },
    y: { label: "Accuracy on held-out samples", unit: "%" },
    series: curves.map(({ layers, points }) => ({
      name: layers.join(", "),
      points: points.map(({ removed, accuracy }) => [100 * removed, 100 * accuracy] as const),
    })),
  });
}

/** What was removed, a line for each layer and one for the whole. */
export function describeReport({ layers, before, after }: PruningReport): string[] {
  const changed = layers.map(({ layer, before: had, after: has }) => `${layer}: ${has} of ${had} channels are left`);
  const saved = (what: "macs" | "parameters") =>
    `${after[what]} of ${before[what]} (-${percent(1 - after[what] / before[what])})`;
  return [...changed, `multiply-accumulates: ${saved("macs")}; parameters: ${saved("parameters")}`];
}
