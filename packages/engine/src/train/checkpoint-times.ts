/** At most this long between two checkpoints, unless the hooks say otherwise. */
const defaultSeconds = 30;

/** A checkpoint after an epoch waits until this many times what the last one took has gone by: so it takes at most 1% of the time. */
const costs = 100;

/**
 * When a training's checkpoints are due: within an epoch every `everySeconds`; at its end also sooner, but only when that costs at most 1%
 * of the time since the last one. What a checkpoint costs is measured as the training runs (Mohan, Phanishayee, Chidambaram: CheckFreq,
 * FAST '21), anew in each run, as another host or store has another cost; until it is known the end of an epoch is always a reason.
 */
export class CheckpointTimes {
  readonly #every: number;
  #last = performance.now();
  /** From asking for the last checkpoint until its hooks had it, ms. */
  #cost = 0;

  constructor(everySeconds = defaultSeconds) {
    this.#every = everySeconds * 1000;
  }

  isDue(): boolean {
    return performance.now() - this.#last >= this.#every;
  }

  isDueAfterEpoch(): boolean {
    return performance.now() - this.#last >= Math.min(this.#every, costs * this.#cost);
  }

  /** Saves one and takes its time. */
  async measure(save: () => Promise<void>): Promise<void> {
    const asked = performance.now();
    await save();
    this.#last = performance.now();
    this.#cost = this.#last - asked;
  }
}
