/**
 * The numbers 0 to `count` - 1 in a random order, again and again another one (Fisher-Yates); equal seeds give equal orders everywhere.
 * The generator is SplitMix32 as in the engine, which can't be imported here: it comes with TensorFlow.
 */
export function randomOrders(count: number, seed: number): () => number[] {
  let state = seed | 0;
  const random = () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
  return () => {
    const order = Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const pick = Math.floor(random() * (last + 1));
      [order[last], order[pick]] = [order[pick] ?? 0, order[last] ?? 0];
    }
    return order;
  };
}
