import type { StepOutputs } from "./gradients.ts";

/** Sums over the samples of an epoch so far. */
export interface Totals {
  loss: number;
  correct: number;
  samples: number;
}

/** Adds up what steps return without reading it at once: reading waits for the device. */
export class Tally {
  readonly totals: Totals;
  #pending: (StepOutputs & { samples: number })[] = [];

  constructor(totals: Totals = { loss: 0, correct: 0, samples: 0 }) {
    this.totals = { ...totals };
  }

  /** Takes over the tensors of a step on `samples` samples. */
  add(outputs: StepOutputs, samples: number): void {
    this.#pending.push({ ...outputs, samples });
  }

  /** Reads what is pending. @returns the means over all samples so far. */
  read(): { loss: number; accuracy: number } {
    for (const { loss, correct, samples } of this.#pending) {
      this.totals.loss += (loss.dataSync()[0] ?? 0) * samples;
      this.totals.correct += correct.dataSync()[0] ?? 0;
      this.totals.samples += samples;
    }
    this.dispose();
    const samples = Math.max(1, this.totals.samples);
    return { loss: this.totals.loss / samples, accuracy: this.totals.correct / samples };
  }

  dispose(): void {
    for (const { loss, correct } of this.#pending) {
      loss.dispose();
      correct.dispose();
    }
    this.#pending = [];
  }
}
