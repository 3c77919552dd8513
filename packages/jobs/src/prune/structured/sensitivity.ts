import { evaluate, tf } from "@whittle/engine";
import { stopIfAborted } from "../../shared/context.ts";
import type { TrainingTensors } from "../../shared/training.ts";
import { score, type Pruning } from "./remove.ts";
import { selectChannels } from "./select.ts";
import { withoutChannels } from "./surgery.ts";

/** How a model answers when the channels of some layers, and no others, are removed. */
export interface Curve {
  layers: string[];
  /** By the share of the layers' channels that are removed, without fine-tuning. */
  points: { removed: number; accuracy: number }[];
}

const SHARES = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
/** Held-out samples that a model is judged by. */
const SAMPLES = 2048;

/** Removes more and more channels of each group alone. */
export async function sensitivityOf(pruning: Pruning, tensors: TrainingTensors): Promise<Curve[]> {
  const { context, model, params, widths } = pruning;
  const { dependencies, groups } = score(pruning, model);
  const { x, y } = heldOut(tensors);
  try {
    const accuracy = async (candidate: tf.LayersModel) => (await evaluate(candidate, x, y, context)).accuracy;
    const whole = await accuracy(model);
    const curves: Curve[] = [];
    for (const group of groups) {
      context.progress(0.04 + 0.06 * (curves.length / groups.length), `sensitivity of ${group.layers.join(", ")}`);
      const points = [{ removed: 0, accuracy: whole }];
      for (const share of SHARES) {
        stopIfAborted(context.signal);
        const chosen = selectChannels([group], share, { ...params, scope: "local", widths });
        const removed = chosen.size / group.channels.length;
        if (removed === points.at(-1)?.removed) continue;
        const smaller = await withoutChannels(model, dependencies, chosen);
        points.push({ removed, accuracy: await accuracy(smaller).finally(() => smaller.dispose()) });
      }
      curves.push({ layers: group.layers, points });
    }
    return curves;
  } finally {
    tf.dispose([x, y]);
  }
}

/** A copy of the first samples that were held back or, where there are none, of those to train on. The caller disposes it. */
function heldOut({ validation, ...training }: TrainingTensors): { x: tf.Tensor; y: tf.Tensor } {
  const { x, y } = validation ?? training;
  const count = Math.min(SAMPLES, y.length);
  return { x: tf.slice(x, 0, count), y: tf.tensor1d(y.subarray(0, count), "int32") };
}
