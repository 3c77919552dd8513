import { optimizedModel } from "./optimized.ts";

/** How often each operator occurs in the graph that ONNX Runtime really runs on this machine. */
export async function fusedOperators(model: Uint8Array): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { opType } of (await optimizedModel(model)).graph.node) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
}
