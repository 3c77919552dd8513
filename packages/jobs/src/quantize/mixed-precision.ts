import { AppError } from "@whittle/contracts";
import type { Verdict } from "./judge.ts";

/** Bits of a layer's weights, or "float". */
export type Precision = number | "float";

/** What becomes of the layers that are not quantized to the bits asked for. */
export type Assignment = Record<string, Precision>;

/** How much is lost when a layer alone is quantized. */
export interface LayerSensitivity {
  layer: string;
  verdict: Verdict;
}

/** One try of the search, in the order in which they were made. */
export interface SearchStep {
  layer: string;
  to: Precision;
  accuracy: number;
  kept: boolean;
}

export interface MixedPrecision {
  assignment: Assignment;
  sensitivity: LayerSensitivity[];
  steps: SearchStep[];
  verdict: Verdict;
}

export interface SearchOptions {
  layers: readonly string[];
  /** What layers may have, from the bits asked for up: [4, 8, "float"]. */
  precisions: readonly Precision[];
  /** The least accuracy that is inside the tolerance. */
  least: number;
  /** Quantizes the model, with these layers otherwise than to the bits asked for, and judges it. */
  evaluate: (assignment: Assignment) => Promise<Verdict>;
}

/**
 * Quantizes each layer alone to see what it costs, then raises the layers that cost most, one after the other and first to the next
 * precision for all of them, until the model is inside the tolerance. Those that turn out to have been raised further than they need are
 * lowered again as far as that holds, the least sensitive first.
 * @throws AppError `unsupported` when no layer can be quantized inside the tolerance.
 */
export async function searchMixedPrecision(options: SearchOptions): Promise<MixedPrecision> {
  const sensitivity = await measureSensitivity(options);
  const search = new Search(options);
  await search.start();
  const mostFirst = sensitivity
    .toSorted((a, b) => b.verdict.divergence - a.verdict.divergence)
    .map(({ layer }) => layer);
  await search.raise(mostFirst);
  await search.lower(mostFirst.toReversed());
  return { ...search.result(), sensitivity };
}

async function measureSensitivity({ layers, evaluate }: SearchOptions): Promise<LayerSensitivity[]> {
  const found: LayerSensitivity[] = [];
  for (const layer of layers) {
    const others = layers.filter((each) => each !== layer);
    const verdict = await evaluate(Object.fromEntries(others.map((each) => [each, "float"])));
    found.push({ layer, verdict });
  }
  return found;
}

class Search {
  readonly #options: SearchOptions;
  readonly #steps: SearchStep[] = [];
  #assignment: Assignment = {};
  #verdict: Verdict | undefined;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#verdict = await this.#options.evaluate({});
  }

  async raise(order: readonly string[]): Promise<void> {
    for (const precision of this.#options.precisions.slice(1)) {
      for (const layer of order) {
        if (this.#isInside(this.#verdict)) return;
        await this.#try(layer, precision, () => true);
      }
    }
  }

  async lower(order: readonly string[]): Promise<void> {
    const { precisions } = this.#options;
    for (const layer of order) {
      const raised = precisions.indexOf(this.#assignment[layer] ?? precisions[0] ?? "float");
      for (const precision of precisions.slice(0, raised)) {
        if (await this.#try(layer, precision, (verdict) => this.#isInside(verdict))) break;
      }
    }
  }

  result(): Omit<MixedPrecision, "sensitivity"> {
    const [assignment, verdict] = [this.#assignment, this.#verdict];
    if (!verdict) throw new AppError("internal", "the search for a mixed precision was not started");
    return { assignment, verdict, steps: this.#steps };
  }

  #isInside(verdict: Verdict | undefined): boolean {
    return verdict !== undefined && verdict.accuracy >= this.#options.least;
  }

  async #try(layer: string, to: Precision, keep: (verdict: Verdict) => boolean): Promise<boolean> {
    const { layers, precisions, evaluate, least } = this.#options;
    const changed = { ...this.#assignment, [layer]: to };
    if (to === precisions[0]) delete changed[layer];
    if (layers.every((each) => changed[each] === "float")) {
      throw new AppError(
        "unsupported",
        `No layer can be quantized so that the held-out accuracy stays at ${least.toFixed(4)}; allow more tolerance or use more bits.`,
      );
    }
    const verdict = await evaluate(changed);
    const kept = keep(verdict);
    this.#steps.push({ layer, to, accuracy: verdict.accuracy, kept });
    if (kept) [this.#assignment, this.#verdict] = [changed, verdict];
    return kept;
  }
}
