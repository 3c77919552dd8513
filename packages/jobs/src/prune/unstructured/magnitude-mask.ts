/** What share of the weights becomes zero, or below which magnitude. */
export type Cut = { amount: number } | { threshold: number };

/**
 * Unstructured L1 pruning: which weights stay, by magnitude alone (Han et al., arXiv 1506.02626; `torch.nn.utils.prune`).
 *
 * With an amount s, the k = round(n s) weights of least |w| go, n being all weights together (`global`) or those of one layer
 * (`local`). With a threshold t, all with |w| < t go. Of equal magnitudes the one that comes first goes first, so that the same
 * weights always give the same mask. A weight that is zero already counts as pruned, and stays so whatever the cut.
 * @param weights one array a layer.
 * @returns for each layer 1 where the weight stays and 0 where it goes.
 */
export function magnitudeMask(weights: Float32Array[], scope: "global" | "local", cut: Cut): Uint8Array[] {
  if (scope === "local") return weights.map((layer) => maskOf(layer, cut));
  const mask = maskOf(concatenate(weights), cut);
  let offset = 0;
  return weights.map(({ length }) => mask.subarray(offset, (offset += length)));
}

function maskOf(weights: Float32Array, cut: Cut): Uint8Array {
  const magnitudes = weights.map(Math.abs);
  const mask = "threshold" in cut ? keepFrom(magnitudes, cut.threshold) : keepLargest(magnitudes, cut.amount);
  return mask.map((keep, i) => (magnitudes[i] === 0 ? 0 : keep));
}

function keepFrom(magnitudes: Float32Array, threshold: number): Uint8Array {
  return Uint8Array.from(magnitudes, (magnitude) => (magnitude < threshold ? 0 : 1));
}

function keepLargest(magnitudes: Float32Array, amount: number): Uint8Array {
  const pruned = Math.round(magnitudes.length * amount);
  const mask = new Uint8Array(magnitudes.length).fill(1);
  if (pruned === 0) return mask;
  const sorted = magnitudes.toSorted();
  const limit = sorted[pruned - 1] ?? 0;
  let ties = pruned - sorted.findIndex((magnitude) => magnitude === limit);
  for (const [i, magnitude] of magnitudes.entries()) {
    if (magnitude < limit || (magnitude === limit && ties-- > 0)) mask[i] = 0;
  }
  return mask;
}

function concatenate(arrays: Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return all;
}
