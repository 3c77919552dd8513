import { encodeModel } from "../proto/model.ts";
import { valueInfo } from "../proto/node.ts";
import { DataType, elementCount, floatData, tensor } from "../proto/tensor.ts";
import { createSession } from "../runtime/session.ts";
import type { QuantizedLayer } from "./plan.ts";
import type { Observed } from "./statistics.ts";
import { dequantizeWeights, type QuantizedWeights } from "./weights.ts";

/** What a layer without its bias makes of `input` with other weights. */
async function apply({ node, weight }: QuantizedLayer, data: Float32Array, input: Observed): Promise<Observed> {
  const bytes = encodeModel({
    irVersion: 10,
    opsetImport: [{ domain: "", version: 21 }],
    graph: {
      name: "layer",
      node: [{ ...node, input: ["x", "w"], output: ["y"] }],
      initializer: [tensor("w", weight.dims, data)],
      input: [valueInfo("x", DataType.FLOAT, input.shape)],
      output: [{ name: "y", type: { tensorType: { elemType: DataType.FLOAT } } }],
      valueInfo: [],
    },
  });
  const session = await createSession(bytes);
  try {
    const { y } = await session.run({ x: { shape: input.shape, datatype: "FP32", data: input.values } });
    return y?.data instanceof Float32Array
      ? { values: y.data, shape: y.shape }
      : { values: new Float32Array(), shape: [] };
  } finally {
    await session.release();
  }
}

/** The mean of each channel: axis 1 of a convolution's result, the last of a matrix product's. */
function channelMeans({ values, shape }: Observed, operator: string): Float64Array {
  const channels = (operator === "Conv" ? shape[1] : shape.at(-1)) ?? 1;
  const inner = operator === "Conv" ? elementCount(shape.slice(2)) : 1;
  const sums = new Float64Array(channels);
  for (const [at, value] of values.entries()) {
    const channel = Math.floor(at / inner) % channels;
    sums[channel] = (sums[channel] ?? 0) + value / (values.length / channels);
  }
  return sums;
}

/**
 * The bias that gives a layer's channels the mean again that they had before its weights were quantized (Nagel et al., "Data-free
 * quantization", 1906.04721, section 4.2): b + E[W x] - E[Ŵ x]. A layer is linear, so that is the layer with weights W - Ŵ at E[x].
 * @param mean of the layer's input over the samples
 */
export async function correctedBias(
  layer: QuantizedLayer,
  quantized: QuantizedWeights,
  mean: Observed,
): Promise<Float32Array> {
  const { node, weight, bias, layout } = layer;
  const kept = dequantizeWeights(quantized);
  const lost = floatData(weight).map((value, at) => value - (kept[at] ?? 0));
  const shift = channelMeans(await apply(layer, lost, mean), node.opType);
  const before = bias ? floatData(bias) : new Float32Array(layout.channels);
  return before.map((value, channel) => value + (shift[channel] ?? 0));
}
