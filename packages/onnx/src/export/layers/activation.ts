import { z } from "zod";
import { defineLayer, unsupportedLayer, type LayerContext, type LayerConverter } from "../layer.ts";
import { onnxShape, toPlain, type Value } from "../value.ts";

type Context = Pick<LayerContext<unknown>, "graph" | "id" | "layer">;

/** Activations that are one ONNX node without other inputs: node and attributes. */
const simple: Record<string, { op: string; attributes?: Record<string, { float: number }> }> = {
  relu: { op: "Relu" },
  sigmoid: { op: "Sigmoid" },
  tanh: { op: "Tanh" },
  elu: { op: "Elu" },
  selu: { op: "Selu" },
  softplus: { op: "Softplus" },
  softsign: { op: "Softsign" },
  mish: { op: "Mish" },
  gelu: { op: "Gelu" },
  hardsigmoid: { op: "HardSigmoid", attributes: { alpha: { float: 0.2 }, beta: { float: 0.5 } } },
};

function clip({ graph }: Context, value: Value, name: string, max: number): Value {
  const low = graph.constant(`${name}/min`, [], Float32Array.of(0));
  const high = graph.constant(`${name}/max`, [], Float32Array.of(max));
  return { ...value, name: graph.emit("Clip", [value.name, low, high], name, onnxShape(value)) };
}

function swish({ graph }: Context, value: Value, name: string): Value {
  const gate = graph.emit("Sigmoid", [value.name], `${name}/gate`, onnxShape(value));
  return { ...value, name: graph.emit("Mul", [value.name, gate], name, onnxShape(value)) };
}

/** `axis` counts the batch, as Keras' does; the softmax over channels stays with them where they lie first. */
function softmax({ graph, layer }: Context, value: Value, name: string, axis = -1): Value {
  const rank = value.shape.length + 1;
  const kerasAxis = axis < 0 ? axis + rank : axis;
  if (kerasAxis < 1 || kerasAxis >= rank) throw unsupportedLayer(layer, `softmax over axis ${axis} of rank ${rank}.`);
  const plain = toPlain(graph, value);
  return { ...plain, name: graph.emit("Softmax", [plain.name], name, onnxShape(plain), { axis: kerasAxis }) };
}

/**
 * Applies an activation function by its Keras name; the output is named after the layer.
 * @throws AppError `unsupported` for a function that is not known.
 */
export function activate(context: Context, value: Value, activation: string): Value {
  const key = activation.replaceAll("_", "").toLowerCase();
  const name = `${context.id}/${key}`;
  if (key === "linear") return value;
  if (key === "relu6") return clip(context, value, name, 6);
  if (key === "swish" || key === "silu") return swish(context, value, name);
  if (key === "softmax") return softmax(context, value, name);
  const known = simple[key];
  if (!known) throw unsupportedLayer(context.layer, `its activation ${activation} is not known.`);
  const output = context.graph.emit(known.op, [value.name], name, onnxShape(value), known.attributes);
  return { ...value, name: output };
}

/** The part of a configuration that every layer with an activation of its own has. */
export const activationConfig = z.object({
  activation: z
    .string()
    .nullish()
    .transform((name) => name ?? "linear"),
});

const activation = defineLayer(activationConfig, (context) =>
  activate(context, context.input, context.config.activation),
);

const relu = defineLayer(z.object({ max_value: z.number().nullish() }), (context) => {
  const { max_value } = context.config;
  if (max_value === null || max_value === undefined) return activate(context, context.input, "relu");
  return clip(context, context.input, `${context.id}/clip`, max_value);
});

const leakyRelu = defineLayer(z.object({ alpha: z.number().default(0.3) }), ({ graph, id, input, config }) => ({
  ...input,
  name: graph.emit("LeakyRelu", [input.name], `${id}/leaky`, onnxShape(input), { alpha: { float: config.alpha } }),
}));

const softmaxLayer = defineLayer(z.object({ axis: z.int().default(-1) }), (context) =>
  softmax(context, context.input, `${context.id}/softmax`, context.config.axis),
);

export const activationLayers: Record<string, LayerConverter> = {
  Activation: activation,
  ReLU: relu,
  LeakyReLU: leakyRelu,
  Softmax: softmaxLayer,
};
