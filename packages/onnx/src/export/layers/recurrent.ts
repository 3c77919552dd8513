import { z } from "zod";
import type { GraphBuilder } from "../graph-builder.ts";
import { defineLayer, unsupportedLayer, type LayerContext, type LayerConverter, type Weight } from "../layer.ts";
import { toPlain, type Value } from "../value.ts";

const recurrentConfig = z.object({
  units: z.int().positive(),
  activation: z.string().nullish(),
  recurrent_activation: z.string().nullish(),
  use_bias: z.boolean().default(true),
  return_sequences: z.boolean().nullish(),
  return_state: z.boolean().nullish(),
  go_backwards: z.boolean().nullish(),
  stateful: z.boolean().nullish(),
  reset_after: z.boolean().nullish(),
});
type Context = LayerContext<z.output<typeof recurrentConfig>>;

/** How an ONNX operator orders the gates; each is a gate of Keras by its place. */
interface Operator {
  opType: "GRU" | "LSTM";
  gates: readonly number[];
}

function checkConfig({ layer, config }: Context): void {
  const set = (["return_state", "go_backwards", "stateful", "reset_after"] as const).find((name) => config[name]);
  if (set) throw unsupportedLayer(layer, `${set} is on.`);
  if (config.activation !== "tanh") throw unsupportedLayer(layer, `its activation is ${config.activation}, not tanh.`);
  if (config.recurrent_activation !== "sigmoid") {
    throw unsupportedLayer(layer, `its recurrent_activation is ${config.recurrent_activation}, not sigmoid.`);
  }
}

/** Keras' [inputs, gates * units] as ONNX' [gates * units, inputs], with the gates in ONNX' order. */
function gateRows({ shape, data }: Weight, units: number, gates: readonly number[]): Float32Array {
  const [inputs = 0, columns = 0] = shape;
  const rows = new Float32Array(data.length);
  let at = 0;
  for (const gate of gates)
    for (let unit = 0; unit < units; unit++)
      for (let input = 0; input < inputs; input++) rows[at++] = data[input * columns + gate * units + unit] ?? 0;
  return rows;
}

function weights({ graph, layer, config, weight }: Context, { gates }: Operator): string[] {
  const { units, use_bias } = config;
  const rows = gates.length * units;
  const names = (["kernel", "recurrent_kernel"] as const).map((name) => {
    const { shape, data } = weight(name);
    return graph.constant(`${layer.name}/${name}`, [1, rows, shape[0] ?? 0], gateRows({ shape, data }, units, gates));
  });
  if (!use_bias) return names;
  // ONNX has a second bias for the recurrent product, which tfjs does not.
  const bias = new Float32Array(2 * rows);
  bias.set(gateRows({ shape: [1, rows], data: weight("bias").data }, units, gates));
  return [...names, graph.constant(`${layer.name}/bias`, [1, 2 * rows], bias)];
}

/** The state after the last of [steps, N, units], or all of them as [N, steps, units]. */
function states(graph: GraphBuilder, id: string, name: string, shape: readonly [number, number], all: boolean): Value {
  const [steps, units] = shape;
  if (all) {
    const sequence = graph.emit("Transpose", [name], `${id}/sequence`, [-1, steps, units], { perm: [1, 0, 2] });
    return { name: sequence, shape, layout: "plain" };
  }
  const last = graph.constant(`${id}/last_step`, [], BigInt64Array.of(BigInt(steps - 1)));
  return { name: graph.emit("Gather", [name, last], `${id}/state`, [-1, units]), shape: [units], layout: "plain" };
}

/**
 * Steps lie first in ONNX' recurrent operators, and a direction before the batch in what they give: [steps, 1, N, units]. tfjs' GRU resets the
 * state before its product with the recurrent weights, which is linear_before_reset 0.
 */
function recurrent(operator: Operator): LayerConverter {
  return defineLayer(recurrentConfig, (context) => {
    checkConfig(context);
    const { graph, id, config } = context;
    const input = toPlain(graph, context.input);
    const [steps = 0, features = 0] = input.shape;
    const stepsFirst = graph.emit("Transpose", [input.name], `${id}/steps_first`, [steps, -1, features], {
      perm: [1, 0, 2],
    });
    const attributes = { hidden_size: config.units, ...(operator.opType === "GRU" && { linear_before_reset: 0 }) };
    const run = graph.emit(
      operator.opType,
      [stepsFirst, ...weights(context, operator)],
      `${id}/directions`,
      [steps, 1, -1, config.units],
      attributes,
    );
    const direction = graph.constant("recurrent/direction", [1], BigInt64Array.of(1n));
    const squeezed = graph.emit("Squeeze", [run, direction], `${id}/states`, [steps, -1, config.units]);
    return states(graph, id, squeezed, [steps, config.units], config.return_sequences ?? false);
  });
}

export const recurrentLayers: Record<string, LayerConverter> = {
  // Keras: update, reset, candidate; ONNX: the same.
  GRU: recurrent({ opType: "GRU", gates: [0, 1, 2] }),
  // Keras: input, forget, candidate, output; ONNX: input, output, forget, candidate.
  LSTM: recurrent({ opType: "LSTM", gates: [0, 3, 1, 2] }),
};
