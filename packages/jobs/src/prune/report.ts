import { canonicalJson, type ArtifactDraft } from "@whittle/contracts";
import { lineChart } from "../shared/plot.ts";
import type { Curve } from "./sensitivity.ts";

/** A report as a file of the artifact, and its curves as a picture. @param what is taken away: channels or weights. */
export function reportFiles(report: { sensitivity?: Curve[] }, what: string): ArtifactDraft["files"] {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const json = { path: "pruning.json", mediaType: "application/json", bytes: bytes(canonicalJson(report)) };
  const files: ArtifactDraft["files"] = [{ ...json, role: "report" }];
  if (report.sensitivity) {
    const plot = {
      path: "sensitivity.svg",
      mediaType: "image/svg+xml",
      bytes: bytes(plotOf(report.sensitivity, what)),
    };
    files.push({ ...plot, role: "report" });
  }
  return files;
}

function plotOf(curves: Curve[], what: string): string {
  return lineChart({
    title: `Accuracy when one layer alone loses ${what}`,
    x: { label: `${what.replace(/^./, (first) => first.toUpperCase())} removed`, unit: "%" },
    y: { label: "Accuracy on held-out samples", unit: "%" },
    series: curves.map(({ layers, points }) => ({
      name: layers.join(", "),
      points: points.map(({ removed, accuracy }) => [100 * removed, 100 * accuracy] as const),
    })),
  });
}
