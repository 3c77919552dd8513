import type { ScoredGroup } from "./scores.ts";

export interface Selection {
  scope: "local" | "global";
  /** Kept channels are a multiple of this. */
  roundTo: number;
  /** Channels of each group before anything was removed, by its key. */
  widths: ReadonlyMap<string, number>;
}

/**
 * The channels of least score that make up a share of a model's channels, counted from when it was whole: the same share of each group
 * (`local`), or of all groups' channels together (`global`). What is kept of a group is rounded to the nearest multiple, and at least
 * one multiple stays. Of equal scores the one that comes first goes first.
 */
export function selectChannels(groups: readonly ScoredGroup[], share: number, selection: Selection): Set<number> {
  const wanted =
    selection.scope === "local" ? localWidths(groups, share, selection) : globalWidths(groups, share, selection);
  return new Set(
    groups.flatMap((group, at) => {
      const width = widthOf(group, selection);
      const kept = rounded(wanted[at] ?? 0, width, multipleFor(width, selection.roundTo));
      return ascending(group).slice(0, Math.max(0, group.channels.length - kept));
    }),
  );
}

/** The multiple for a layer of so many channels: halved until the layer has two of it. */
export function multipleFor(width: number, roundTo: number): number {
  let multiple = roundTo;
  while (multiple > 1 && width < 2 * multiple) multiple = Math.floor(multiple / 2);
  return multiple;
}

function rounded(wanted: number, width: number, multiple: number): number {
  return Math.min(width, Math.max(multiple, Math.round(wanted / multiple) * multiple));
}

const widthOf = ({ key, channels }: ScoredGroup, { widths }: Selection) => widths.get(key) ?? channels.length;

function localWidths(groups: readonly ScoredGroup[], share: number, selection: Selection): number[] {
  return groups.map((group) => widthOf(group, selection) * (1 - share));
}

/** How many channels each group has above the least of all groups' channels. */
function globalWidths(groups: readonly ScoredGroup[], share: number, selection: Selection): number[] {
  const whole = groups.reduce((sum, group) => sum + widthOf(group, selection), 0);
  const ranked = groups.flatMap(({ scores }, group) => Array.from(scores, (score) => ({ group, score })));
  const kept = ranked.toSorted((a, b) => b.score - a.score).slice(0, Math.round(whole * (1 - share)));
  return groups.map((_, at) => kept.filter(({ group }) => group === at).length);
}

/** The channels in order of their scores. */
function ascending({ channels, scores }: ScoredGroup): number[] {
  const order = [...channels.keys()].toSorted((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  return order.map((at) => channels[at] ?? 0);
}
