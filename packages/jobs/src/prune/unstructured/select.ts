import type { Kernel } from "../../shared/masks.ts";

/** Which weights are compared with each other: all, those of one layer, or those that one output of a layer reads. */
export type Scope = "global" | "local" | "output";

/** What share of the compared weights becomes zero, below which score they do, or how many of how many inputs in a row stay. */
export type Cut = { amount: number } | { threshold: number } | { keep: number; of: number };

/**
 * Unstructured pruning: which weights stay, by their scores alone (as in `torch.nn.utils.prune`).
 *
 * With an amount s, the k = round(n s) weights of least score go, n being those that the scope compares; one stays. With
 * a threshold t, all with a score below t go. With n:m, of every m inputs of an output that follow each other the n of highest score
 * stay; inputs that are left over after the last whole group stay. Of equal scores the one that comes first goes first, so that the
 * same scores always give the same mask. A weight that is zero already goes before all others, and stays zero whatever the cut.
 * @param scores not negative, one array a kernel.
 * @returns for each kernel 1 where the weight stays and 0 where it goes.
 */
export function selectWeights(
  kernels: readonly Kernel[],
  scores: Float32Array[],
  scope: Scope,
  cut: Cut,
): Uint8Array[] {
  const ranks = scores.map((layer, at) => layer.map((score, i) => (kernels[at]?.data[i] === 0 ? -1 : score)));
  const all = concatenate(ranks);
  const least = "threshold" in cut ? cut.threshold : 0;
  const mask = Uint8Array.from(all, (score) => (score < 0 || score < least ? 0 : 1));
  if (!("threshold" in cut)) {
    for (const places of "of" in cut ? runsOf(kernels, cut.of) : groupsOf(kernels, scope)) {
      const count = "of" in cut ? cut.of - cut.keep : shareOf(places.length, cut.amount);
      dropLeast(all, places, count, mask);
    }
  }
  let offset = 0;
  return ranks.map(({ length }) => mask.subarray(offset, (offset += length)));
}

function shareOf(count: number, amount: number): number {
  return Math.min(count - 1, Math.round(count * amount));
}

function dropLeast(scores: Float32Array, places: Int32Array, count: number, mask: Uint8Array): void {
  if (count <= 0) return;
  const sorted = Float32Array.from(places, (at) => scores[at] ?? 0).toSorted();
  const limit = sorted[count - 1] ?? 0;
  let ties = count - sorted.indexOf(limit);
  for (const at of places) {
    const score = scores[at] ?? 0;
    if (score < limit || (score === limit && ties-- > 0)) mask[at] = 0;
  }
}

/** How a kernel's weights lie in memory: [positions, inputs, outputs]. */
interface Layout {
  positions: number;
  inputs: number;
  outputs: number;
}

/** Whether outputs read several inputs: one of a depthwise layer or of an embedding reads one. */
function isMixing({ name }: Kernel): boolean {
  return /(?<!depthwise_)kernel$/.test(name);
}

function layoutOf(kernel: Kernel): Layout {
  const { shape, data } = kernel;
  const [channels = 1, filters = 1] = shape.slice(-2);
  const positions = data.length / (channels * filters);
  return isMixing(kernel)
    ? { positions, inputs: channels, outputs: filters }
    : { positions, inputs: 1, outputs: channels * filters };
}

/** The inputs of each of a kernel's outputs that are in no whole group of m; none of a layer that patterns leave as it is. */
export function leftOver(kernel: Kernel, m: number): number {
  return isMixing(kernel) ? layoutOf(kernel).inputs % m : 0;
}

/** Places, in all kernels' weights one after the other, that are compared with each other. */
function* groupsOf(kernels: readonly Kernel[], scope: Scope): Generator<Int32Array> {
  if (scope === "global")
    return yield range(
      0,
      kernels.reduce((sum, { data }) => sum + data.length, 0),
      1,
    );
  let offset = 0;
  for (const kernel of kernels) {
    const { length } = kernel.data;
    const step = scope === "output" ? layoutOf(kernel).outputs : 1;
    for (let first = 0; first < step; first++) yield range(offset + first, length / step, step);
    offset += length;
  }
  return undefined;
}

/** Places of m inputs of one output that follow each other. */
function* runsOf(kernels: readonly Kernel[], m: number): Generator<Int32Array> {
  let offset = 0;
  for (const kernel of kernels) {
    const { positions, inputs, outputs } = layoutOf(kernel);
    for (let position = 0; position < positions; position++) {
      for (let input = 0; input + m <= inputs; input += m) {
        const first = offset + (position * inputs + input) * outputs;
        for (let output = 0; output < outputs; output++) yield range(first + output, m, outputs);
      }
    }
    offset += kernel.data.length;
  }
}

function range(first: number, length: number, step: number): Int32Array {
  return Int32Array.from({ length }, (_, at) => first + at * step);
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
