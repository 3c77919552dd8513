import { refuse } from "../shared/model.ts";
import { allocateBits, leastBits, total, type LayerCurve } from "./allocate-bits.ts";
import type { Verdict } from "./judge.ts";
import type { Assignment } from "./mixed-precision.ts";

/** A quantized model as a whole. */
interface Whole {
  /** Of each layer's weights. */
  bits: Record<string, number>;
  /** Of all weights together. */
  averageBits: number;
  bytes: number;
  verdict: Verdict;
}

/** How a budget of bits was shared out. */
export interface BitBudget {
  /** The most bits that a weight may have on average. */
  averageBits: number;
  curves: LayerCurve[];
  /** The bits of least summed divergence that fit, and that sum. */
  allocated: Whole & { expectedDivergence: number };
  /** As many bits as fit where all layers have the same, as far as these are to be had. */
  uniform: Whole;
  /** Which of the two diverges less as a whole; `uniform` only where it is inside the budget. */
  chosen: "allocated" | "uniform";
}

/** One quantization and how it was judged. */
export interface Tried {
  bytes: number;
  /** Those that are not float, with the bits that a weight takes in the file. */
  layers: readonly { name: string; weights: number; bits: number }[];
  verdict: Verdict;
}

export interface BudgetOptions {
  layers: readonly string[];
  /** The most bits that a weight may have on average. */
  averageBits: number;
  /** The fewest that a layer may have. */
  lowest: number;
  /** Quantizes every layer as it is told and judges the model. */
  evaluate: (assignment: Assignment) => Promise<Tried>;
  /** Told of each layer's curve once it is there. */
  onCurve?: (curve: LayerCurve) => void;
}

const MOST_BITS = 8;

/**
 * Quantizes each layer alone to every number of bits, the others float (the sensitivity of ZeroQ, 2001.00281), and shares the budget
 * out so that the divergences of the layers sum up to the least: a multiple-choice knapsack, as in 2110.06554. That divergences add up
 * is an assumption, so the whole model is judged beside one with the same bits everywhere, and the better of the two is chosen.
 * @throws AppError `invalid_request` at `averageBits` when the layers can't have as few.
 */
export async function searchBitBudget(options: BudgetOptions): Promise<BitBudget> {
  const { layers, averageBits, evaluate, onCurve } = options;
  const curves: LayerCurve[] = [];
  for (const layer of layers) {
    const curve = await curveOf(layer, options);
    onCurve?.(curve);
    curves.push(curve);
  }
  const bits = allocateBits(curves, averageBits);
  if (!bits) refuse("averageBits", `must be at least ${leastAverage(curves).toFixed(2)} for the layers of this model`);
  const same = Object.fromEntries(curves.map((curve) => [curve.layer, bitsAtMost(averageBits, curve)]));
  const [allocated, uniform] = [wholeOf(await evaluate(bits)), wholeOf(await evaluate(same))];
  const isBetter = uniform.averageBits <= averageBits && uniform.verdict.divergence < allocated.verdict.divergence;
  return {
    averageBits,
    curves,
    allocated: { ...allocated, expectedDivergence: expectedDivergence(curves, bits) },
    uniform,
    chosen: isBetter ? "uniform" : "allocated",
  };
}

async function curveOf(layer: string, { layers, lowest, evaluate }: BudgetOptions): Promise<LayerCurve> {
  const others = Object.fromEntries(layers.filter((each) => each !== layer).map((each) => [each, "float" as const]));
  const curve: LayerCurve = { layer, weights: 0, points: [] };
  for (let asked = MOST_BITS; asked >= lowest; asked--) {
    const { layers: made, verdict } = await evaluate({ ...others, [layer]: asked });
    const { weights = 0, bits = asked } = made.find(({ name }) => name === layer) ?? {};
    curve.weights = weights;
    // Not every number of bits is to be had: integer kernels may keep to 7, signs with zeros among them take 2, and a small layer is not packed.
    if (curve.points.every((point) => point.bits !== bits)) curve.points.push({ bits, verdict });
  }
  return curve;
}

function wholeOf({ bytes, layers, verdict }: Tried): Whole {
  const averageBits =
    total(layers.map(({ weights, bits }) => weights * bits)) / total(layers.map((each) => each.weights));
  return { bits: Object.fromEntries(layers.map(({ name, bits }) => [name, bits])), averageBits, bytes, verdict };
}

/** As many of the bits that are to be had, or else the fewest. */
function bitsAtMost(most: number, { points }: LayerCurve): number {
  return (points.find(({ bits }) => bits <= most) ?? points.at(-1))?.bits ?? MOST_BITS;
}

/** To hundredths, upwards. */
function leastAverage(curves: readonly LayerCurve[]): number {
  const average = total(curves.map(leastBits)) / total(curves.map(({ weights }) => weights));
  return Math.ceil(100 * average - 1e-9) / 100;
}

function expectedDivergence(curves: readonly LayerCurve[], chosen: Readonly<Record<string, number>>): number {
  return total(
    curves.map(({ layer, points }) => points.find(({ bits }) => bits === chosen[layer])?.verdict.divergence ?? 0),
  );
}
