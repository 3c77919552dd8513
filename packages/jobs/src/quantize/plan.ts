import type { CalibrationMethod, Quantizer, QuantizerOptions } from "@whittle/onnx";
import { stopIfAborted, type JobContext } from "../shared/context.ts";
import { percent } from "../shared/training.ts";
import type { LayerCurve } from "./allocate-bits.ts";
import { searchBitBudget, type BitBudget, type Tried } from "./bit-budget.ts";
import type { QuantizeParams } from "./contract.ts";
import type { Evidence, Trial } from "./evidence.ts";
import type { Judge, Verdict } from "./judge.ts";
import { searchMixedPrecision, type Assignment, type MixedPrecision, type Precision } from "./mixed-precision.ts";

/** How much accuracy `bits: "auto"` may cost where no tolerance is given: one point. */
const DEFAULT_TOLERANCE = 0.01;
/** The share of the file that fewer bits must save. */
const LEAST_SAVING = 0.01;
const calibrators: CalibrationMethod[] = ["minmax", "percentile", "mse", "entropy"];

/** Whether quantizing takes a search, and so samples to judge by. */
export function needsSearch({ bits, calibration, tolerance, averageBits }: QuantizeParams): boolean {
  return bits === "auto" || calibration.method === "auto" || tolerance !== undefined || averageBits !== undefined;
}

/** What a search works with. */
export interface Workbench {
  context: JobContext;
  quantizer: Quantizer;
  judge: Judge;
}

/** Settings that were found, and what they were decided on. */
export interface Plan {
  options: QuantizerOptions;
  evidence: Omit<Evidence, "quantized">;
}

/**
 * Finds whatever the parameters leave open: the calibrator, then the bits, then the layers that stay in more bits or in float; or with a
 * budget of bits those of each layer.
 */
export async function findPlan(params: QuantizeParams, fixed: QuantizerOptions, bench: Workbench): Promise<Plan> {
  const { judge, context } = bench;
  const plan: Plan = { options: fixed, evidence: { heldOutSamples: judge.samples, float: judge.float } };
  if (params.calibration.method === "auto") {
    context.progress(0.2, "choosing the calibrator");
    const found = await chooseCalibrator(plan.options, bench);
    plan.options = { ...plan.options, calibrator: found.chosen };
    plan.evidence.calibrators = found;
  }
  if (params.averageBits !== undefined) return await shareBudget(params.averageBits, plan, bench);
  if (params.bits !== "auto" && params.tolerance === undefined) return plan;
  const tolerance = params.tolerance ?? DEFAULT_TOLERANCE;
  const least = judge.float.accuracy - tolerance;
  plan.evidence.tolerance = tolerance;
  if (params.bits === "auto") {
    context.progress(0.4, "choosing the bits");
    const found = await chooseBits(plan.options, least, bench);
    plan.options = { ...plan.options, bits: found.chosen };
    plan.evidence.bits = found;
  }
  context.progress(0.6, "measuring the sensitivity of each layer");
  const mixed = await choosePrecisions(plan.options, least, bench);
  return {
    options: { ...plan.options, layers: mixed.assignment },
    evidence: { ...plan.evidence, mixedPrecision: mixed },
  };
}

async function shareBudget(averageBits: number, { options, evidence }: Plan, bench: Workbench): Promise<Plan> {
  const bitBudget = await chooseEachBits(averageBits, options, bench);
  const layers = bitBudget[bitBudget.chosen].bits;
  return { options: { ...options, layers }, evidence: { ...evidence, bitBudget } };
}

async function attempt<T>(setting: T, options: QuantizerOptions, bench: Workbench): Promise<Trial<T>> {
  stopIfAborted(bench.context.signal);
  const { model } = await bench.quantizer.quantize(options);
  return { setting, bytes: model.byteLength, verdict: await bench.judge.judge(model) };
}

/** The calibrator whose outputs diverge least from the float model's. At 8 bits: there the activations' ranges matter most. */
async function chooseCalibrator(options: QuantizerOptions, bench: Workbench) {
  const trials: Trial<CalibrationMethod>[] = [];
  for (const calibrator of calibrators) trials.push(await attempt(calibrator, { ...options, calibrator }, bench));
  const best = trials.reduce((a, b) => (b.verdict.divergence < a.verdict.divergence ? b : a));
  for (const { setting, verdict } of trials) bench.context.log("info", `calibrator ${setting}: ${describe(verdict)}`);
  return { trials, chosen: best.setting };
}

/** Tries every number of bits. */
async function chooseBits(options: QuantizerOptions, least: number, bench: Workbench) {
  const trials: Trial<number>[] = [];
  const lowest = lowestBits(options);
  for (let bits = 8; bits >= lowest; bits--) trials.push(await attempt(bits, { ...options, bits }, bench));
  for (const { setting, verdict } of trials) {
    bench.context.log("info", `${setting} bits: ${describe(verdict)}`);
    bench.context.metrics("bits", setting, { accuracy: verdict.accuracy, divergence: verdict.divergence });
  }
  return { trials, chosen: fewestBits(trials, least) };
}

/** Affine weights start at 2 bits, and so does AdaRound. */
function lowestBits({ scheme, round }: QuantizerOptions): number {
  return scheme === "affine" || round ? 2 : 1;
}

/**
 * The fewest bits with which a model stays inside the tolerance, where they make its file smaller: fewer bits that don't save a hundredth of
 * it would be lost for nothing. 8 where none is inside.
 * @param trials from the most bits down
 * @param least the accuracy that is inside the tolerance
 */
export function fewestBits(trials: readonly Trial<number>[], least: number): number {
  const [first, ...fewer] = trials.filter(({ verdict }) => verdict.accuracy >= least);
  if (!first) return 8;
  return fewer.reduce((best, trial) => (trial.bytes <= (1 - LEAST_SAVING) * best.bytes ? trial : best), first).setting;
}

async function choosePrecisions(options: QuantizerOptions, least: number, bench: Workbench): Promise<MixedPrecision> {
  const { bits = 8 } = options;
  const precisions: Precision[] = [bits, ...[4, 8].filter((more) => more > bits), "float"];
  const mixed = await searchMixedPrecision({
    layers: bench.quantizer.layersFor(options.method),
    precisions,
    least,
    evaluate: async (layers) => (await attempt(undefined, { ...options, layers }, bench)).verdict,
  });
  for (const { layer, verdict } of mixed.sensitivity) bench.context.log("info", `${layer} alone: ${describe(verdict)}`);
  for (const [layer, precision] of Object.entries(mixed.assignment)) {
    bench.context.log("info", `${layer} stays ${precision === "float" ? "float" : `at ${precision} bits`}`);
  }
  return mixed;
}

/** The bits of each layer within a budget. */
async function chooseEachBits(averageBits: number, options: QuantizerOptions, bench: Workbench): Promise<BitBudget> {
  const { context, quantizer, judge } = bench;
  const layers = quantizer.layersFor(options.method);
  let measured = 0;
  const tell = () =>
    context.progress(0.4 + (0.4 * measured) / layers.length, "measuring each layer with every number of bits");
  tell();
  const evaluate = async (assignment: Assignment): Promise<Tried> => {
    stopIfAborted(context.signal);
    const { model, layers: made } = await quantizer.quantize({ ...options, layers: assignment });
    // Those in the file: a layer too small to be packed takes 8 of the budget whatever it is rounded to.
    const taken = made.map(({ name, weights, storedBits }) => ({ name, weights, bits: storedBits }));
    return { bytes: model.byteLength, layers: taken, verdict: await judge.judge(model) };
  };
  const onCurve = ({ layer, weights, points }: LayerCurve) => {
    const each = points.map(({ bits, verdict }) => `${bits} ${verdict.divergence.toExponential(1)}`);
    context.log("info", `${layer} alone (${weights} weights), divergence by bits: ${each.join(", ")}`);
    measured++;
    tell();
  };
  const found = await searchBitBudget({ layers, averageBits, lowest: lowestBits(options), evaluate, onCurve });
  for (const which of ["allocated", "uniform"] as const) {
    const { averageBits: average, bytes, verdict } = found[which];
    context.log("info", `${which} bits, ${average.toFixed(2)} on average, ${bytes} bytes: ${describe(verdict)}`);
  }
  if (found.chosen === "uniform")
    context.log("warn", "the same bits in all layers diverge less than those found for each: kept the same bits");
  return found;
}

function describe({ accuracy, divergence, agreement }: Verdict): string {
  return `held-out accuracy ${percent(accuracy)}, ${percent(agreement)} predicted as by the float model, divergence ${divergence.toExponential(2)}`;
}
