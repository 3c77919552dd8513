import { AppError, mixesSamples, type ModelConfig } from "@whittle/contracts";
import { argMax } from "../runtime/classify.ts";
import { baselineOf } from "./baseline.ts";
import { cutIntoParts, type Parts } from "./parts.ts";
import { planShapley, type Coalition, type ShapleyOptions, type ShapleyValues } from "./shapley.ts";

/** A classifier as a function: that is all that is asked of it, so its weights may be packed, pruned or quantized. */
export interface Classifier {
  /** Of one sample, without the batch: [28, 28, 1]. */
  shape: readonly number[];
  config: Pick<ModelConfig, "labels" | "vocabulary" | "preprocessing" | "compression">;
  /** The most samples of one call; where they would change each other's answers it is one. */
  batch: number;
  /** Logits, row-major [count, classes], of `count` samples, row-major. */
  predict: (samples: Float32Array, count: number) => Promise<Float32Array>;
}

export interface ExplainOptions extends ShapleyOptions {
  /** Its index or label; by default the class that the model predicts. */
  class?: number | string | undefined;
  /** What is shared out among the parts: the softmax of the logits, or the class' logit itself. */
  output: "probability" | "logit";
  /** The side of a patch, or how many tokens or columns belong together. */
  patch?: number | undefined;
  /** One value, or one for each of the input: see {@link baselineOf}. */
  baseline?: Float32Array | undefined;
}

export interface Explanation extends ShapleyValues {
  class: number;
  label?: string;
  /** The output for the class, of the input and of the baseline. */
  value: number;
  baselineValue: number;
  /** What the baseline is. */
  baseline: string;
  /** The grid in which the values stand, row-major. */
  parts: Pick<Parts, "kind" | "grid" | "size">;
  method: "exact" | "permutations";
  /** Samples that the model was run on. */
  evaluations: number;
}

/**
 * Which parts of a sample make the model answer what it answers: the Shapley value of each part, where a part that does not take part is
 * replaced by the baseline's. Parts that are the baseline's already can't change anything: they are 0 and cost nothing.
 * @param sample as the model sees it, row-major.
 * @throws AppError `invalid_request` naming the option that doesn't fit, or when the model answers with NaN or infinities.
 */
export async function explain(
  { shape, config, batch, predict }: Classifier,
  sample: Float32Array,
  options: ExplainOptions,
): Promise<Explanation> {
  const { kind, grid, size, count, of } = cutIntoParts(shape, config.vocabulary !== undefined, options.patch);
  const baseline = baselineOf(config, sample.length, options.baseline);
  const differing = new Set(of.filter((_part, place) => sample[place] !== baseline.values[place]));
  const players = Array.from({ length: count }, (_, part) => part).filter((part) => differing.has(part));
  const plan = planShapley(players.length, options);
  const numbers = new Map(players.map((part, player) => [part, player]));
  const playerOf = of.map((part) => numbers.get(part) ?? -1);
  const logits: Float32Array[] = [];
  const together = mixesSamples(config) ? 1 : batch;
  for (let from = 0; from < plan.coalitions.length; from += together) {
    const some = plan.coalitions.slice(from, from + together);
    logits.push(...rowsOf(await predict(compose(some, sample, baseline.values, playerOf), some.length), some.length));
    // Before all others are run for nothing.
    if (from === 0) checkAnswer(logits[0] ?? new Float32Array(), config.labels, options);
  }
  const target = classOf(config.labels, logits.at(-1) ?? new Float32Array(), options.class);
  const worths = logits.map((row) => (options.output === "logit" ? (row[target] ?? 0) : softmax(row, target)));
  if (!worths.every(Number.isFinite)) {
    const where = Number.isFinite(worths.at(-1)) ? "where parts of the input are left out" : "to the input itself";
    throw new AppError("invalid_request", `the model answers NaN or Infinity ${where}`);
  }
  const { values, standardErrors, permutations } = plan.solve(worths);
  const inGrid = (played: readonly number[]) => {
    const all = Array.from({ length: count }, () => 0);
    for (const [player, part] of players.entries()) all[part] = played[player] ?? 0;
    return all;
  };
  const label = config.labels?.[target];
  return {
    class: target,
    ...(label !== undefined && { label }),
    value: worths.at(-1) ?? 0,
    baselineValue: worths[0] ?? 0,
    baseline: baseline.name,
    parts: { kind, grid, size },
    method: standardErrors ? "permutations" : "exact",
    values: inGrid(values),
    ...(standardErrors && { standardErrors: inGrid(standardErrors) }),
    ...(permutations !== undefined && { permutations }),
    evaluations: plan.coalitions.length,
  };
}

/** One sample for each coalition: the players' parts as they are, the others' as in the baseline. */
function compose(
  coalitions: readonly Coalition[],
  sample: Float32Array,
  baseline: Float32Array,
  playerOf: Int32Array,
): Float32Array {
  const samples = new Float32Array(coalitions.length * sample.length);
  for (const [row, coalition] of coalitions.entries()) {
    const start = row * sample.length;
    // What belongs to no player is the same in both.
    for (let place = 0; place < sample.length; place++)
      samples[start + place] = (coalition[playerOf[place] ?? -1] === 1 ? sample : baseline)[place] ?? 0;
  }
  return samples;
}

function rowsOf(logits: Float32Array, count: number): Float32Array[] {
  const classes = logits.length / count;
  return Array.from({ length: count }, (_, row) => logits.slice(row * classes, (row + 1) * classes));
}

function checkAnswer(logits: Float32Array, labels: readonly string[] | undefined, options: ExplainOptions): void {
  classOf(labels, logits, options.class);
  if (logits.length > 1 || options.output === "logit") return;
  const message = 'must be "logit": the model gives one score, and the softmax of one is always 1';
  throw new AppError("invalid_request", `output ${message}`, { issues: [{ path: "output", message }] });
}

function classOf(labels: readonly string[] | undefined, logits: Float32Array, asked: number | string | undefined) {
  if (asked === undefined) return argMax(logits, logits.length)[0] ?? 0;
  const label = labels?.indexOf(String(asked)) ?? -1;
  // Number() takes an empty text for 0.
  const index = typeof asked === "string" && label >= 0 ? label : Number(String(asked).trim() || "none");
  if (Number.isInteger(index) && index >= 0 && index < logits.length) return index;
  const names = labels ? ` or one of ${labels.join(", ")}` : "";
  const message = `must be 0 to ${logits.length - 1}${names}, not ${JSON.stringify(asked)}`;
  throw new AppError("invalid_request", `class ${message}`, { issues: [{ path: "class", message }] });
}

function softmax(logits: Float32Array, at: number): number {
  const top = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - top), 0);
  return Math.exp((logits[at] ?? 0) - top) / sum;
}
