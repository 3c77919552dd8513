/** The channels along one axis of a tensor, in order; a number may come several times, as after flattening. */
export type Channels = readonly number[];

/** The channel that all channels are coupled to which must stay. */
const FIXED = 0;

/** Which channels can only be removed together: a disjoint-set forest, in which a root stands for all that are coupled to it. */
export class Coupling {
  readonly #parents = [FIXED];

  create(count: number): Channels {
    const first = this.#parents.length;
    const created = Array.from({ length: count }, (_, at) => first + at);
    this.#parents.push(...created);
    return created;
  }

  root(channel: number): number {
    let at = channel;
    for (let parent = this.#parent(at); parent !== at; parent = this.#parent(at)) {
      this.#parents[at] = this.#parent(parent);
      at = parent;
    }
    return at;
  }

  /** Couples the channels of two axes of the same length, one by one. The least number becomes the root. */
  couple(a: Channels, b: Channels): void {
    for (const [at, channel] of a.entries()) {
      const [low = 0, high = 0] = [this.root(channel), this.root(b[at] ?? FIXED)].toSorted((x, y) => x - y);
      this.#parents[high] = low;
    }
  }

  /** Makes channels stay. */
  fix(channels: Channels): void {
    this.couple(
      channels,
      channels.map(() => FIXED),
    );
  }

  isFixed(channel: number): boolean {
    return this.root(channel) === FIXED;
  }

  #parent(channel: number): number {
    return this.#parents[channel] ?? FIXED;
  }
}
