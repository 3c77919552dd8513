import { encodeModel, type OnnxModel } from "../proto/model.ts";
import { optimizedModel } from "../runtime/optimized.ts";

/**
 * The model with constants folded, batch normalization folded into convolutions, dropout and identities left out and a product with its sum
 * as one Gemm: ONNX Runtime's basic optimizations, which keep to the standard's operators.
 * @returns undefined where they did not keep to them.
 */
export async function simplify(model: OnnxModel): Promise<OnnxModel | undefined> {
  const { graph } = await optimizedModel(encodeModel(model), { optimization: "basic" });
  if (graph.node.some(({ domain = "" }) => domain !== "")) return undefined;
  return { ...model, graph: { ...graph, input: model.graph.input, output: model.graph.output, valueInfo: [] } };
}
