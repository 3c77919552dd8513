import { barChart } from "../shared/plot.ts";
import type { Published } from "./markdown.ts";

/** What a model takes of its parent's size, time and accuracy, as an SVG; undefined where nothing was compared. */
export function reportChart({ record, manifest: { metrics }, parentName }: Published): string | undefined {
  const { comparison, accuracy, gzipBytes } = metrics;
  const { latencyMs, parentLatencyMs } = record.measurements;
  if (!comparison) return undefined;
  const bars = [
    { name: "accuracy", own: accuracy?.value, other: comparison.accuracy.value },
    { name: "size, gzipped", own: gzipBytes, other: comparison.gzipBytes },
    { name: "latency, batch 1", own: latencyMs?.b1.p50, other: parentLatencyMs?.b1.p50 },
    { name: "latency, batch 32", own: latencyMs?.b32.p50, other: parentLatencyMs?.b32.p50 },
  ].flatMap(({ name, own, other }) => {
    if (own === undefined || !other) return [];
    return [{ name, value: (100 * own) / other, highlighted: name !== "accuracy" && own > other }];
  });
  const title = `${record.name}@${record.version} beside ${parentName ?? comparison.role}`;
  return barChart({ title, y: { label: "share of the other model's", unit: "%" }, bars });
}
