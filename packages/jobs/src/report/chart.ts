import { barChart } from "../shared/plot.ts";
import type { Published } from "./markdown.ts";

/** What a model has of its parent's accuracy, size, work and time, as an SVG; undefined where nothing was compared. */
export function reportChart({ record, manifest: { metrics }, parentName }: Published): string | undefined {
  const { comparison, accuracy } = metrics;
  const { latencyMs, parentLatencyMs } = record.measurements;
  if (!comparison) return undefined;
  const bars = [
    { name: "accuracy", own: accuracy?.value, other: comparison.accuracy.value, more: "better" },
    { name: "size", own: metrics.bytes, other: comparison.bytes },
    { name: "size, gzipped", own: metrics.gzipBytes, other: comparison.gzipBytes },
    { name: "multiply-accumulates", own: metrics.macs, other: comparison.macs },
    { name: "latency, batch 1", own: latencyMs?.b1.p50, other: parentLatencyMs?.b1.p50 },
    { name: "latency, batch 32", own: latencyMs?.b32.p50, other: parentLatencyMs?.b32.p50 },
  ].flatMap(({ name, own, other, more }) => {
    if (own === undefined || !other) return [];
    const value = (100 * own) / other;
    return [{ name, value, label: `${value.toFixed(1)}%`, highlighted: more === "better" ? own < other : own > other }];
  });
  const title = `${record.name}@${record.version} beside ${parentName ?? comparison.role}`;
  const y = { label: "Share of the other model's", unit: "%" };
  const legend = { plain: "as good or better", highlighted: "worse" };
  return barChart({ title, y, bars, legend, level: { name: "the other model", y: 100 } });
}
