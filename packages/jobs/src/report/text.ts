/** Pieces of Markdown, and numbers as a person reads them. */
import type { Proportion } from "@whittle/contracts";

/** Each item ends with a full stop. */
export function list(items: (string | false | undefined)[]): string {
  return items.flatMap((item) => (item ? [`- ${item}${item.endsWith(".") ? "" : "."}`] : [])).join("\n");
}

/** @param columns how many of the head's are shown. */
export function table(head: string[], rows: string[][], columns = head.length): string {
  const line = (cells: string[]) =>
    `| ${cells
      .slice(0, columns)
      .map((cell) => cell.replaceAll("|", "\\|"))
      .join(" | ")} |`;
  return [line(head), line(Array.from({ length: columns }, () => "---")), ...rows.map(line)].join("\n");
}

export function describeProportion({ value, interval: [low, high] }: Proportion): string {
  return `${percent(value)} (${percent(low)} to ${percent(high)})`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}

export function points(difference: number): string {
  return `${difference > 0 ? "+" : ""}${(100 * difference).toFixed(1)} points`;
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function milliseconds({ p50, p95 }: { p50: number; p95: number }): string {
  return `${p50.toFixed(3)} / ${p95.toFixed(3)} ms`;
}

/** How many times as small something is as another, or as large: "3.9x smaller". @param words for less and for more. */
export function ratio(own: number, other: number, [less, more]: readonly [string, string]): string {
  if (own === 0 || other === 0) return "";
  const times = Math.max(own, other) / Math.min(own, other);
  return times < 1.005 ? "the same" : `${times.toFixed(times < 1.1 ? 2 : 1)}x ${own < other ? less : more}`;
}
