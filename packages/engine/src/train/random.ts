/** A source of uniform 32-bit integers. */
export type Random = () => number;

/**
 * SplitMix32: a small generator of good quality whose whole state is one integer, so equal seeds give equal streams in every process.
 * Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014), with the 32-bit finalizer of MurmurHash3.
 */
export function splitmix32(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

/** One seed made of several numbers; streams of different parts (`[seed, epoch]`) are unrelated. */
export function mixSeed(...parts: number[]): number {
  return parts.reduce((mixed, part) => splitmix32(mixed ^ part)(), 0);
}

/** The numbers 0 to `count` - 1 in an order that `seed` fixes (Fisher-Yates). */
export function permutation(count: number, seed: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, index) => index);
  const random = splitmix32(seed);
  for (let last = count - 1; last > 0; last--) {
    const pick = Math.floor((random() / 2 ** 32) * (last + 1));
    const kept = order[last] ?? 0;
    order[last] = order[pick] ?? 0;
    order[pick] = kept;
  }
  return order;
}

/**
 * Draws the validation samples: `fraction` of `count` (rounded), by the seed; the rest stays for training. Both are in rising order.
 * Those of a smaller fraction are among those of a larger one.
 */
export function splitIndices(
  count: number,
  fraction: number,
  seed: number,
): { train: Int32Array; validation: Int32Array } {
  const order = permutation(count, mixSeed(seed, count));
  const kept = Math.round(count * fraction);
  return { validation: order.slice(0, kept).toSorted(), train: order.slice(kept).toSorted() };
}
