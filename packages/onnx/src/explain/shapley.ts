import { AppError } from "@whittle/contracts";
import { randomOrders } from "./random.ts";

/** Who takes part: 1 or 0 for each player. */
export type Coalition = Uint8Array;

export interface ShapleyValues {
  /** What each player adds, on average over all orders in which they may join; together the worth of all less that of none. */
  values: number[];
  /** Of each value, where they are estimates: the standard deviation that it would have over other seeds. */
  standardErrors?: number[];
  /** How many orders were drawn, where they are estimates. */
  permutations?: number;
}

export interface ShapleyPlan {
  /** Whose worth must be known: nobody first, everybody last. */
  coalitions: Coalition[];
  /** @param worths of the coalitions, in their order. */
  solve: (worths: readonly number[]) => ShapleyValues;
}

export interface ShapleyOptions {
  /** The most coalitions to ask for. */
  evaluations: number;
  seed: number;
}

/** Estimates with fewer pairs have no standard error. */
const FEWEST_PAIRS = 2;

/**
 * Shapley values of a game (Shapley, 1953): exact where all 2^players coalitions may be asked for, otherwise the mean over random orders
 * (Castro, Gómez, Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009; Štrumbelj, Kononenko, 2014). Orders come
 * in pairs, each with its reverse (Mitchell, Cooper, Frank, Holmes, "Sampling permutations for Shapley value estimation", 2022). The same
 * seed gives the same orders.
 * @throws AppError `invalid_request` when there are too many players for the evaluations.
 */
export function planShapley(players: number, { evaluations, seed }: ShapleyOptions): ShapleyPlan {
  if (2 ** players <= evaluations) return enumerateAll(players);
  const pairs = Math.floor((evaluations - 2) / costOfPair(players));
  if (pairs >= FEWEST_PAIRS) return sample(players, pairs, seed);
  const least = Math.min(2 ** players, 2 + FEWEST_PAIRS * costOfPair(players));
  const message = `must be at least ${least} for ${players} parts, not ${evaluations}; larger patches need fewer`;
  throw new AppError("invalid_request", `evaluations ${message}`, { issues: [{ path: "evaluations", message }] });
}

/** Two orders, on whose way from nobody to everybody stand so many coalitions. */
const costOfPair = (players: number) => 2 * (players - 1);

/** phi_i = sum over the coalitions S without i of |S|! (n - |S| - 1)! / n! (v(S with i) - v(S)). */
function enumerateAll(players: number): ShapleyPlan {
  const coalitions = Array.from({ length: 2 ** players }, (_none, bits) =>
    Uint8Array.from({ length: players }, (_player, player) => (bits >> player) & 1),
  );
  const weights = Array.from({ length: players }, (_, size) => 1 / (players * choose(players - 1, size)));
  const valueOf = (player: number, worths: readonly number[]) =>
    coalitions.reduce((sum, coalition, bits) => {
      if (coalition[player] === 1) return sum;
      const gain = (worths[bits | (1 << player)] ?? 0) - (worths[bits] ?? 0);
      return sum + (weights[sizeOf(coalition)] ?? 0) * gain;
    }, 0);
  return {
    coalitions,
    solve: (worths) => ({ values: Array.from({ length: players }, (_, player) => valueOf(player, worths)) }),
  };
}

function sample(players: number, pairs: number, seed: number): ShapleyPlan {
  const draw = randomOrders(players, seed);
  const orders = Array.from({ length: pairs }, draw).flatMap((order) => [order, order.toReversed()]);
  const nobody = new Uint8Array(players);
  const coalitions = [nobody, ...orders.flatMap(between), new Uint8Array(players).fill(1)];
  return { coalitions, solve: (worths) => ({ ...estimate(players, orders, worths), permutations: orders.length }) };
}

/** Who is there after each step but the last, in which everybody is. */
function between(order: readonly number[]): Coalition[] {
  const there = new Uint8Array(order.length);
  return order.slice(0, -1).map((player) => {
    there[player] = 1;
    return there.slice();
  });
}

function estimate(players: number, orders: readonly number[][], worths: readonly number[]) {
  const [none = 0, all = 0] = [worths[0], worths.at(-1)];
  const sum = new Float64Array(players);
  const squares = new Float64Array(players);
  const pairs = orders.length / 2;
  for (let pair = 0; pair < pairs; pair++) {
    const mean = new Float64Array(players);
    for (const at of [2 * pair, 2 * pair + 1]) {
      const order = orders[at] ?? [];
      let before = none;
      for (const [step, player] of order.entries()) {
        const isLast = step === players - 1;
        const after = isLast ? all : (worths[1 + at * (players - 1) + step] ?? 0);
        mean[player] = (mean[player] ?? 0) + (after - before) / 2;
        before = after;
      }
    }
    // Welford's recurrence: sums of squares would lose the digits of small differences.
    for (const [player, value] of mean.entries()) {
      const old = sum[player] ?? 0;
      sum[player] = old + (value - old) / (pair + 1);
      squares[player] = (squares[player] ?? 0) + (value - old) * (value - (sum[player] ?? 0));
    }
  }
  return {
    values: [...sum],
    standardErrors: Array.from(squares, (square) => Math.sqrt(square / (pairs - 1) / pairs)),
  };
}

function sizeOf(coalition: Coalition): number {
  return coalition.reduce((sum, there) => sum + there, 0);
}

function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return result;
}
