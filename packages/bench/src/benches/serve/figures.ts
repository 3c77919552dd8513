import { atMost, told, type Check } from "../../bench.ts";
import { median } from "../../statistics.ts";
import type { ServeCase } from "./cases.ts";
import type { Latency } from "./load.ts";

/**
 * What one side of a round found, by name. `cpu-ms`: what the server computes for a request, all its threads together, which depends less
 * than time does on what else the machine is doing.
 */
export type Figures = Record<string, number>;

/** By side. */
export type Round = Record<string, Figures>;

export function figuresOf({ perSecond, p50Ms, p99Ms }: Latency, prefix = ""): Figures {
  return { [`${prefix}per-second`]: perSecond, [`${prefix}p50-ms`]: p50Ms, [`${prefix}p99-ms`]: p99Ms };
}

export function describe(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)
    .join("  ");
}

/** The median of each figure over the rounds, and that of its ratio to the side that the case is held against. */
export function summarize({ name, against }: ServeCase, rounds: Round[]): Check[] {
  return Object.entries(rounds[0] ?? {}).flatMap(([side, figures]) => {
    const path = `serve/${name}/${side}`;
    const valuesOf = (figure: string): number[] => rounds.flatMap((round) => round[side]?.[figure] ?? []);
    const ratiosOf = (figure: string): number[] =>
      rounds.map((round) => (round[side]?.[figure] ?? Number.NaN) / (round[against.side]?.[figure] ?? Number.NaN));
    const ratios = side === against.side ? [] : against.figures;
    return [
      ...Object.keys(figures).map((figure) => checkOf(path, figure, valuesOf(figure))),
      ...ratios.map((figure) => told(`${path}/${figure}-vs-${against.side}`, median(ratiosOf(figure)))),
    ];
  });
}

function checkOf(path: string, figure: string, values: number[]): Check {
  if (figure === "without-retry-after") return atMost(`${path}/${figure}`, Math.max(...values), 0);
  return told(`${path}/${figure}`, median(values));
}
