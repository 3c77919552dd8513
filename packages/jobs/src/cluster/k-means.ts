/** Values in groups, each of which one value stands for. */
interface Clusters {
  /** Rising. */
  centroids: Float32Array;
  /** The place of each value's centroid. */
  assignment: Int32Array;
}

const ITERATIONS = 300;

/**
 * k-means of numbers (Lloyd's algorithm), begun with centroids at equal distances from the least to the largest value, which Deep
 * Compression (Han et al., arXiv 1510.00149) found best for weights: it keeps the few large ones apart. A value midway between two
 * centroids belongs to the lower one. Clusters that become empty are left out; where there are no more than k different values, these
 * are the centroids.
 * @param values at least one.
 */
export function kMeans(values: Float32Array, k: number): Clusters {
  const sorted = values.toSorted();
  const distinct = sorted.filter((value, at) => at === 0 || value !== sorted[at - 1]);
  const centroids = distinct.length <= k ? Float64Array.from(distinct) : lloyd(sorted, k);
  const limits = midpoints(centroids);
  const assignment = Int32Array.from(values, (value) => countBelow(limits, value));
  return { centroids: Float32Array.from(centroids), assignment };
}

/** As the values are sorted, a cluster is a range of them, and its mean a difference of two running sums. */
function lloyd(sorted: Float32Array, k: number): Float64Array {
  const sums = runningSums(sorted);
  const [low = 0, high = 0] = [sorted[0], sorted.at(-1)];
  let centroids = Float64Array.from({ length: k }, (_, at) => low + ((high - low) * at) / (k - 1 || 1));
  let ends = endsOf(sorted, centroids);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    centroids = centroids.map((centroid, at) => meanOf(sums, ends[at - 1] ?? 0, ends[at] ?? 0) ?? centroid);
    const moved = endsOf(sorted, centroids);
    if (moved.every((end, at) => end === ends[at])) break;
    ends = moved;
  }
  return centroids.filter((_, at) => ends[at] !== (ends[at - 1] ?? 0));
}

/** The end of each centroid's range of the sorted values. */
function endsOf(sorted: Float32Array, centroids: Float64Array): Int32Array {
  const inner = Int32Array.from(midpoints(centroids), (limit) => countUpTo(sorted, limit));
  return Int32Array.of(...inner, sorted.length);
}

function meanOf(sums: Float64Array, begin: number, end: number): number | undefined {
  return begin === end ? undefined : ((sums[end] ?? 0) - (sums[begin] ?? 0)) / (end - begin);
}

function runningSums(values: Float32Array): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (const [at, value] of values.entries()) sums[at + 1] = (sums[at] ?? 0) + value;
  return sums;
}

function midpoints(centroids: Float64Array): Float64Array {
  return Float64Array.from(
    { length: centroids.length - 1 },
    (_, at) => ((centroids[at] ?? 0) + (centroids[at + 1] ?? 0)) / 2,
  );
}

/** How many of the sorted values are not above a limit. */
const countUpTo = (sorted: Float32Array, limit: number) => partition(sorted, (value) => value <= limit);

/** How many of the sorted limits lie below a value. */
const countBelow = (limits: Float64Array, value: number) => partition(limits, (limit) => limit < value);

/** The number of elements at the beginning for which a condition holds. */
function partition(sorted: Float32Array | Float64Array, holds: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle] ?? 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
