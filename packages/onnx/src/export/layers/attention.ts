import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerContext, type LayerConverter } from "../layer.ts";
import { toPlain, reshapeTo, type Value } from "../value.ts";

const attentionConfig = z.object({ heads: z.int().positive() });
type Context = LayerContext<z.output<typeof attentionConfig>>;

/** [steps, heads * d] by heads, its axes (1 steps, 2 heads, 3 d) in another order. */
function byHeads({ graph, id, config }: Context, input: Value, role: string, order: [number, number, number]): Value {
  const plain = toPlain(graph, input);
  const [steps = 0, width = 0] = plain.shape;
  const split = [steps, config.heads, width / config.heads];
  const { name } = reshapeTo(graph, plain, `${id}/${role}/split`, split);
  const shape = order.map((axis) => split[axis - 1] ?? 0);
  graph.emit("Transpose", [name], `${id}/${role}`, [-1, ...shape], { perm: [0, ...order] });
  return { name: `${id}/${role}`, shape, layout: "plain" };
}

/** softmax(Q K' / sqrt(d)) V for each head. */
const attention = defineLayer(attentionConfig, (context) => {
  const { graph, id, layer, inputs, config } = context;
  const [query, key, value] = inputs;
  if (!query || !key || !value) throw unsupportedLayer(layer, "it needs queries, keys and values.");
  const queries = byHeads(context, query, "queries", [2, 1, 3]);
  const keys = byHeads(context, key, "keys", [2, 3, 1]);
  const values = byHeads(context, value, "values", [2, 1, 3]);
  const [heads = 0, steps = 0, depth = 0] = queries.shape;
  const scores = [-1, heads, steps, keys.shape[2] ?? 0];
  const products = graph.emit("MatMul", [queries.name, keys.name], `${id}/products`, scores);
  const scale = graph.constant(`${id}/scale`, [], Float32Array.of(1 / Math.sqrt(depth)));
  const scaled = graph.emit("Mul", [products, scale], `${id}/scaled`, scores);
  const shares = graph.emit("Softmax", [scaled], `${id}/shares`, scores, { axis: 3 });
  const out = values.shape[2] ?? 0;
  const attended = graph.emit("MatMul", [shares, values.name], `${id}/attended`, [-1, heads, steps, out]);
  const joined = graph.emit("Transpose", [attended], `${id}/joined`, [-1, steps, heads, out], { perm: [0, 2, 1, 3] });
  const last = { name: joined, shape: [steps, heads, out], layout: "plain" } as const;
  return reshapeTo(graph, last, `${id}/attention`, [steps, config.heads * out]);
});

const positions = defineLayer(z.object({}), ({ graph, id, layer, input, weight }) => {
  const plain = toPlain(graph, input);
  const { shape, data } = weight("positions");
  const vectors = graph.constant(`${layer.name}/positions`, shape, data);
  return { ...plain, name: graph.emit("Add", [plain.name, vectors], `${id}/placed`, [-1, ...plain.shape]) };
});

/** The layers of the zoo's transformer that tfjs has no class for. */
export const attentionLayers: Record<string, LayerConverter> = {
  ScaledDotProductAttention: attention,
  LearnedPositions: positions,
};
