import type { ExplainResponse } from "@whittle/sdk";
import { table } from "../terminal/table.ts";
import { heatMap, legend } from "./heat-map.ts";

/** How many parts are listed. */
const LISTED = 5;

/**
 * An explanation to be read: the answer, a map of the values, and the parts that count most.
 * @param tokens what each place of the input says, where it is a text.
 */
export function describe(found: ExplainResponse, seconds: number, tokens: readonly string[] = []): string {
  const { label, class: index, output, value, baseline_value: none, baseline } = found;
  return [
    `${label ?? `class ${index}`}: ${output} ${short(value)}; of the baseline, ${baseline}, ${short(none)}`,
    "",
    ...map(found, tokens),
    legend,
    "",
    strongest(found, tokens),
    "",
    `${origin(found)}; ${seconds.toFixed(2)} s`,
  ].join("\n");
}

function map({ values, parts: { grid, size } }: ExplainResponse, tokens: readonly string[]): string[] {
  const [rows = 0, columns] = grid;
  if (columns !== undefined) return heatMap(values, columns, 2);
  const isText = tokens.length > 0 && tokens.every((token) => token.length === 1);
  const [line = ""] = heatMap(values, rows, isText ? size : 1);
  return isText ? [tokens.map(visible).join(""), line.slice(0, tokens.length)] : [line];
}

function strongest(found: ExplainResponse, tokens: readonly string[]): string {
  const { values, standard_errors: errors } = found;
  const rows = [...values.entries()]
    .toSorted(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, LISTED)
    .map(([part, value]) => [
      nameOf(part, found, tokens),
      `${value < 0 ? "" : "+"}${short(value)}`,
      ...(errors ? [short(errors[part] ?? 0)] : []),
    ]);
  return table([["PART", "VALUE", ...(errors ? ["ERROR"] : [])], ...rows], [1, 2]);
}

/** Counted from 0, as in arrays. */
function nameOf(part: number, { parts: { kind, grid, size } }: ExplainResponse, tokens: readonly string[]): string {
  const [rows = 0, columns] = grid;
  if (columns !== undefined) return `patch in row ${Math.floor(part / columns)}, column ${part % columns}`;
  const name = kind === "tokens" ? "token" : "column";
  const from = part * size;
  const text = tokens.slice(from, from + size);
  const said =
    text.length > 0 ? ` ${JSON.stringify(text.join(text.every((each) => each.length === 1) ? "" : " "))}` : "";
  if (size === 1) return `${name} ${from}${said}`;
  return `${name}s from ${from}${part === rows - 1 ? "" : ` to ${from + size - 1}`}${said}`;
}

function origin({ method, permutations, evaluations, parts: { kind, grid, size } }: ExplainResponse): string {
  const runs = size === 1 ? `${grid[0]} ${kind}` : `${grid[0]} runs of ${size} ${kind}`;
  const what = kind === "patches" ? `patches of ${size} x ${size} in ${grid.join(" x ")}` : runs;
  const how = method === "exact" ? "exact" : `estimated from ${permutations} orders, with the standard error`;
  return `${what}; ${how}; the model was run on ${evaluations} samples`;
}

function visible(token: string): string {
  return token.trim() === "" ? "␣" : token;
}

function short(value: number): string {
  return value.toFixed(3);
}
