/**
 * Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs.
 * @returns undefined where one side is all equal, or has fewer than two values: then there are no ranks.
 */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number | undefined {
  const [x, y] = [centred(ranks(a)), centred(ranks(b))];
  const scale = Math.sqrt(product(x, x) * product(y, y));
  return scale === 0 ? undefined : product(x, y) / scale;
}

function ranks(values: readonly number[]): number[] {
  const sorted = values.toSorted((first, second) => first - second);
  return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2);
}

function centred(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}

function product(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}
