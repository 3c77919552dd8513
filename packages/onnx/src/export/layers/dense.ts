import { z } from "zod";
import { defineLayer, type LayerContext, type LayerConverter, type Weight } from "../layer.ts";
import { toPlain, type Value } from "../value.ts";
import { activate, activationConfig } from "./activation.ts";

const denseConfig = activationConfig.extend({ units: z.int().positive(), use_bias: z.boolean().default(true) });
type Context = LayerContext<z.output<typeof denseConfig>>;

/** Rows of a [H*W*C, units] kernel in the order in which a channels-first flattening delivers its inputs. */
function permuteRows(kernel: Weight, [height, width, channels]: readonly [number, number, number]): Float32Array {
  const units = kernel.shape[1] ?? 0;
  const permuted = new Float32Array(kernel.data.length);
  let row = 0;
  for (let c = 0; c < channels; c++) {
    for (let position = 0; position < height * width; position++, row++) {
      const from = (position * channels + c) * units;
      permuted.set(kernel.data.subarray(from, from + units), row * units);
    }
  }
  return permuted;
}

function kernelFor({ graph, layer, weight, input }: Context): string {
  const kernel = weight("kernel");
  const { layout, spatial } = input;
  return layout === "flattened" && spatial
    ? graph.constant(`${layer.name}/kernel/channels_first`, kernel.shape, permuteRows(kernel, spatial))
    : graph.constant(`${layer.name}/kernel`, kernel.shape, kernel.data);
}

function gemm(context: Context): Value {
  const { graph, id, layer, config, input, weight } = context;
  const inputs = [input.name, kernelFor(context)];
  if (config.use_bias) inputs.push(graph.constant(`${layer.name}/bias`, [config.units], weight("bias").data));
  const name = graph.emit("Gemm", inputs, `${id}/gemm`, [-1, config.units]);
  return { name, shape: [config.units], layout: "plain" };
}

/** A dense layer on more than one axis works on the last. */
function matMul({ graph, id, layer, config, input, weight }: Context): Value {
  const plain = toPlain(graph, input);
  const shape = [...plain.shape.slice(0, -1), config.units];
  const kernel = weight("kernel");
  const kernelName = graph.constant(`${layer.name}/kernel`, kernel.shape, kernel.data);
  let name = graph.emit("MatMul", [plain.name, kernelName], `${id}/matmul`, [-1, ...shape]);
  if (config.use_bias) {
    const bias = graph.constant(`${layer.name}/bias`, [config.units], weight("bias").data);
    name = graph.emit("Add", [name, bias], `${id}/biased`, [-1, ...shape]);
  }
  return { name, shape, layout: "plain" };
}

const dense = defineLayer(denseConfig, (context) => {
  const value = context.input.shape.length === 1 ? gemm(context) : matMul(context);
  return activate(context, value, context.config.activation);
});

export const denseLayers: Record<string, LayerConverter> = { Dense: dense };
