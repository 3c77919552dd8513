import { AppError, type ModelConfig } from "@whittle/contracts";
import { explain, type Explanation } from "@whittle/onnx/explain";
import { classify, createSession, type Session } from "@whittle/onnx/runtime";
import { toFloat, type Dataset, type Split } from "@whittle/zoo";
import { stopIfAborted, type JobContext } from "../shared/context.ts";
import { pick } from "../shared/data.ts";
import { rankCorrelation } from "../shared/rank-correlation.ts";
import type { ExplanationParams } from "./contract.ts";

/** A model as it is served, and what its samples must be. */
export interface Explained {
  onnx: Uint8Array;
  config: ModelConfig;
}

/** How alike two models explain their answers, as rank correlations of the parts' Shapley values: means over samples. */
export interface ExplanationAgreement {
  rankCorrelation: number;
  /** Of that mean. */
  standardError: number;
  /** Of the other model with itself, from other random orders: what two equal models would reach. */
  ofItself: number;
  /** How many could be ranked. */
  samples: number;
}

type Ask = (sample: Split, seed: number, about?: number) => Promise<Explanation>;

/** Samples in one call. */
const BATCH = 32;

/**
 * Explains the first samples of a split by both models, about the class that `other` predicts. They get different random orders: the same
 * would make their errors alike.
 * @throws AppError `unsupported` when fewer than two samples have explanations that can be ranked.
 */
export async function compareExplanations(
  context: JobContext,
  { own, other }: { own: Explained; other: Explained },
  split: Split,
  { inputShape }: Dataset,
  { samples, evaluations }: ExplanationParams,
): Promise<ExplanationAgreement> {
  const sessions = [await createSession(own.onnx), await createSession(other.onnx)] as const;
  try {
    const [askOwn, askOther] = [
      asker(context, sessions[0], own.config, inputShape, evaluations),
      asker(context, sessions[1], other.config, inputShape, evaluations),
    ];
    const count = Math.min(samples, split.count);
    const found: { both: number; itself: number }[] = [];
    for (let index = 0; index < count; index++) {
      const sample = pick(split, Int32Array.of(index));
      const reference = await askOther(sample, 0);
      const both = agreement(reference, await askOwn(sample, 1, reference.class));
      const itself = agreement(reference, await askOther(sample, 1, reference.class));
      if (both !== undefined && itself !== undefined) found.push({ both, itself });
      context.progress(0.5 + (0.5 * (index + 1)) / count, "explaining");
    }
    return summary(found);
  } finally {
    for (const session of sessions) await session.release();
  }
}

function asker(
  { signal }: JobContext,
  session: Session,
  config: ModelConfig,
  shape: number[],
  evaluations: number,
): Ask {
  const predict = async (x: Float32Array, count: number) => {
    stopIfAborted(signal);
    return (await classify(session, x, shape, count)).logits;
  };
  const classifier = { shape, config, batch: BATCH, predict };
  return (sample, seed, about) =>
    explain(classifier, toFloat(sample, config.preprocessing), {
      output: "probability",
      class: about,
      evaluations,
      seed,
    });
}

/** Parts that count for neither, such as those that are the baseline's, are no agreement. */
function agreement(a: Explanation, b: Explanation): number | undefined {
  const parts = [...a.values.keys()].filter((part) => a.values[part] !== 0 || b.values[part] !== 0);
  const of = ({ values }: Explanation) => parts.map((part) => values[part] ?? 0);
  return rankCorrelation(of(a), of(b));
}

function summary(found: readonly { both: number; itself: number }[]): ExplanationAgreement {
  const samples = found.length;
  if (samples < 2)
    throw new AppError("unsupported", `explanations can be ranked for ${samples} of the samples; two are needed`);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const correlation = mean(found.map(({ both }) => both));
  const variance = (mean(found.map(({ both }) => (both - correlation) ** 2)) * samples) / (samples - 1);
  const ofItself = mean(found.map(({ itself }) => itself));
  return { rankCorrelation: correlation, standardError: Math.sqrt(variance / samples), ofItself, samples };
}
