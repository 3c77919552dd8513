import type { ModelConfig } from "@whittle/contracts";
import { modelWeights, type tf } from "@whittle/engine";
import { analyse, exportOnnx } from "@whittle/onnx";
import { measureLatency } from "@whittle/onnx/runtime";

/** What a model costs, in whatever unit. */
export type Cost = (model: tf.LayersModel) => Promise<number>;

function toOnnx(model: tf.LayersModel, { signature }: ModelConfig): Uint8Array {
  return exportOnnx({ topology: model.toJSON(undefined, false), weights: modelWeights(model), signature });
}

/** Multiply-accumulates of a sample, and parameters. */
export function countsOf(model: tf.LayersModel, config: ModelConfig): { macs: number; parameters: number } {
  const { macs, parameters } = analyse(toOnnx(model, config));
  return { macs, parameters };
}

/** The cost of a model by what is to be saved; latency is a share of that of the whole model, measured in turn with it. */
export function costOf(of: "macs" | "parameters" | "latency", whole: tf.LayersModel, config: ModelConfig): Cost {
  if (of !== "latency") return async (model) => countsOf(model, config)[of];
  const original = toOnnx(whole, config);
  const inputShape = config.signature.inputs[0]?.shape.slice(1) ?? [];
  return async (model) => {
    const models = [
      { name: "whole", model: original },
      { name: "smaller", model: toOnnx(model, config) },
    ];
    const { whole: before, smaller: after } = await measureLatency(models, { batches: [1], inputShape });
    return (after?.b1.p50 ?? Number.NaN) / (before?.b1.p50 ?? Number.NaN);
  };
}

const STEPS = 10;

/**
 * The smallest share whose cost is at most `limit`, by bisection; the cost may only fall as the share rises.
 * @returns the share to within 1/1024, or the cost at 1 where even that is above the limit.
 */
export async function leastShare(
  cost: (share: number) => Promise<number>,
  limit: number,
): Promise<{ share: number } | { least: number }> {
  const least = await cost(1);
  if (least > limit) return { least };
  let [low, high] = [0, 1];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if ((await cost(middle)) <= limit) high = middle;
    else low = middle;
  }
  return { share: high };
}
