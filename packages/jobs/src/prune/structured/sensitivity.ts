import { stopIfAborted } from "../../shared/context.ts";
import type { TrainingSamples } from "../../shared/training.ts";
import { judging, type Curve } from "../sensitivity.ts";
import { score, type Pruning } from "./remove.ts";
import { selectChannels } from "./select.ts";
import { withoutChannels } from "./surgery.ts";

const SHARES = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];

/** Removes more and more channels of each group alone. */
export async function sensitivityOf(pruning: Pruning, samples: TrainingSamples): Promise<Curve[]> {
  const { context, model, params, widths } = pruning;
  const { dependencies, groups } = score(pruning, model);
  return judging(context, samples, async (accuracyOf) => {
    const whole = await accuracyOf(model);
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
        points.push({ removed, accuracy: await accuracyOf(smaller).finally(() => smaller.dispose()) });
      }
      curves.push({ layers: group.layers, points });
    }
    return curves;
  });
}
