import type { Manifest } from "@whittle/contracts";
import { table } from "./text.ts";

/** A job's parameters, one a row; those within others by their path. @param names of models by their digests. */
export function settingsTable({ params }: Manifest["job"], names: ReadonlyMap<string, string>): string {
  const rows = Object.entries(params).flatMap(([name, value]) => rowsOf(name, value, names));
  return table(["Setting", "Value"], rows);
}

function rowsOf(path: string, value: unknown, names: ReadonlyMap<string, string>): string[][] {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object") return [[`\`${path}\``, show(value, names)]];
  const inner = Object.entries(value);
  if (Array.isArray(value) && value.every((item) => typeof item !== "object"))
    return [[`\`${path}\``, value.map((item) => show(item, names)).join(", ") || "none"]];
  return inner.flatMap(([key, each]) => rowsOf(`${path}.${key}`, each, names));
}

function show(value: unknown, names: ReadonlyMap<string, string>): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  const shown = String(value);
  return names.get(shown) ?? (shown.startsWith("sha256:") ? `${shown.slice(0, 19)}...` : shown);
}
