import { floatData } from "../proto/tensor.ts";
import type { QuantParams } from "./affine.ts";
import type { QuantizationPlan, QuantizedLayer } from "./plan.ts";
import { inputScale } from "./rewrite-static.ts";

const INT32_MAX = 2 ** 31 - 1;

/** For each channel the least weight scale with which the biases of all layers that share the weight fit into int32. */
export function leastScales(
  layer: QuantizedLayer,
  plan: QuantizationPlan,
  params: ReadonlyMap<string, QuantParams>,
): number[] {
  const sharing = plan.layers.filter(({ weight }) => weight === layer.weight);
  return Array.from({ length: layer.layout.channels }, (_none, c) =>
    Math.max(
      ...sharing.map((each) => {
        const bias = each.bias ? (floatData(each.bias)[c] ?? 0) : 0;
        return Math.abs(bias) / (inputScale(plan, params, each) * INT32_MAX);
      }),
    ),
  );
}
