import type { Verdict } from "./judge.ts";

/** What a layer costs that is quantized alone, by the bits of its weights. */
export interface LayerCurve {
  layer: string;
  /** How many it has. */
  weights: number;
  /** From the most bits down. */
  points: { bits: number; verdict: Verdict }[];
}

/** How many allocations are kept after each layer. */
const KEPT = 4096;

export const total = (numbers: readonly number[]): number => numbers.reduce((sum, each) => sum + each, 0);

/** Of all its weights together, where each has the fewest that there are. */
export function leastBits({ weights, points }: LayerCurve): number {
  return weights * Math.min(...points.map(({ bits }) => bits));
}

/** Bits for the first layers. */
interface Allocation {
  /** Summed over the weights. */
  bits: number;
  /** Summed over the layers. */
  divergence: number;
  /** Of the last of them, and what the others have. */
  last: number;
  before?: Allocation;
}

/**
 * The bits of each layer, one of the points of its curve, with the least sum of divergences at no more than `averageBits` bits a weight. Dynamic
 * programming layer by layer over the allocations that no other one beats with as few bits: exact while these are at most 4096; of
 * more, those of nearly the same bits stand for each other, which can cost each layer a 4096th of the budget. (The usual greedy descent along the
 * convex hulls of the curves leaves up to a whole step of the largest layer unused, and models of few layers consist of such.)
 * @returns undefined where even the fewest bits are too many
 */
export function allocateBits(curves: readonly LayerCurve[], averageBits: number): Record<string, number> | undefined {
  // As a product it may fall just short of the whole number that it is.
  const budget = averageBits * total(curves.map(({ weights }) => weights)) + 1e-6;
  let reserved = total(curves.map(leastBits));
  let front: Allocation[] = [{ bits: 0, divergence: 0, last: 0 }];
  for (const curve of curves) {
    reserved -= leastBits(curve);
    const room = budget - reserved;
    const extended = front.flatMap((before) => extend(before, curve)).filter(({ bits }) => bits <= room);
    front = thinned(unbeaten(extended), budget / KEPT);
  }
  const best = front.at(-1);
  return best && Object.fromEntries(chosenBy(best).map((bits, at) => [curves[at]?.layer, bits]));
}

function chosenBy(best: Allocation): number[] {
  const chosen: number[] = [];
  for (let at = best; at.before; at = at.before) chosen.unshift(at.last);
  return chosen;
}

function extend(before: Allocation, { weights, points }: LayerCurve): Allocation[] {
  return points.map(({ bits, verdict }) => ({
    bits: before.bits + weights * bits,
    divergence: before.divergence + verdict.divergence,
    last: bits,
    before,
  }));
}

/** By rising bits, and so by falling divergence. */
function unbeaten(allocations: Allocation[]): Allocation[] {
  const front: Allocation[] = [];
  for (const each of allocations.toSorted((a, b) => a.bits - b.bits || a.divergence - b.divergence)) {
    if (each.divergence < (front.at(-1)?.divergence ?? Infinity)) front.push(each);
  }
  return front;
}

/** Where there are too many, one of least divergence for every `width` bits. */
function thinned(front: Allocation[], width: number): Allocation[] {
  if (front.length <= KEPT) return front;
  const bucket = (at: number) => Math.floor((front[at]?.bits ?? Infinity) / width);
  return front.filter((_allocation, at) => bucket(at) !== bucket(at + 1));
}
