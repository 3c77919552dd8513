/** The extremes of a stream of values; both 0 before there are any, and NaN from the first NaN on. */
export class Extremes {
  min = 0;
  max = 0;
  #empty = true;

  add(values: Float32Array): void {
    for (const value of values) {
      const first = this.#empty || Number.isNaN(value);
      if (first || value < this.min) this.min = value;
      if (first || value > this.max) this.max = value;
      this.#empty = false;
    }
  }
}

export function extremesOf(values: Float32Array): Extremes {
  const extremes = new Extremes();
  extremes.add(values);
  return extremes;
}

/** Counts of a stream of values in bins of equal width over [-limit, limit]; 0 is an edge. Only the counts are kept. */
export class Histogram {
  readonly limit: number;
  readonly min: number;
  readonly max: number;
  readonly counts: Float64Array;

  /** @param bins an even number */
  constructor({ min, max }: { min: number; max: number }, bins = 2048) {
    this.min = min;
    this.max = max;
    this.limit = Math.max(Math.abs(min), Math.abs(max)) || 1;
    this.counts = new Float64Array(bins);
  }

  get width(): number {
    return (2 * this.limit) / this.counts.length;
  }

  /** The lower edge of a bin; of the number of bins, the upper edge of the last. */
  edge(bin: number): number {
    return -this.limit + bin * this.width;
  }

  add(values: Float32Array): void {
    const { counts, limit, width } = this;
    const last = counts.length - 1;
    for (const value of values) {
      const bin = Math.min(last, Math.max(0, Math.floor((value + limit) / width)));
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }
}
