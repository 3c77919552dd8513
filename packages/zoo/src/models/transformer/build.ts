import { AppError } from "@whittle/contracts";
import { tf } from "@whittle/engine";
import type { z } from "zod";
import { defineBuild, type BuildShape } from "../../build.ts";
import { apply, logitsOf } from "../../layers.ts";
import { ScaledDotProductAttention } from "../../sequence/attention.ts";
import { embedTokens } from "../../sequence/input.ts";
import { LayerNormalization } from "../../sequence/layer-normalization.ts";
import { LearnedPositions } from "../../sequence/positions.ts";
import { family } from "./contract.ts";

type Params = z.output<typeof family.params>;

/** Steps as vectors -> positions -> blocks -> normalization -> mean over the steps -> [dropout] -> logits. */
export const build = defineBuild(family, (params, shape) => {
  const { seeds } = shape;
  const input = tf.input({ name: "input", shape: shape.inputShape });
  const positions = new LearnedPositions({ name: "positions", seed: seeds() });
  let steps = apply(positions, embed(input, params, shape));
  for (let block = 1; block <= params.blocks; block++) steps = encoderBlock(steps, `block${block}`, params, seeds);
  const pooling = tf.layers.globalAveragePooling1d({ name: "mean" });
  const features = apply(pooling, normalize(steps, "norm"));
  return tf.model({ name: family.name, inputs: input, outputs: logitsOf(features, params.dropout, shape) });
});

/** What is given as [steps, width]: tokens by an embedding, rows by a dense layer, patches of an image by a convolution. */
function embed(input: tf.SymbolicTensor, params: Params, { inputShape, vocabulary, seeds }: BuildShape) {
  const { width, patch } = params;
  if (vocabulary !== undefined) return embedTokens(input, vocabulary, width, seeds());
  if (inputShape.length === 2) return dense(input, "embedding", width, seeds);
  const [height = 0, across = 0] = inputShape.map((size) => size / patch);
  if (!Number.isInteger(height) || !Number.isInteger(across)) {
    const message = `must divide the height and the width of the images, ${inputShape[0]} x ${inputShape[1]}`;
    throw new AppError("invalid_request", `patch ${message}`, { issues: [{ path: "familyParams.patch", message }] });
  }
  const kernelInitializer = tf.initializers.glorotUniform({ seed: seeds() });
  const cut = { filters: width, kernelSize: patch, strides: patch, kernelInitializer };
  const patches = apply(tf.layers.conv2d({ name: "embedding", ...cut }), input);
  return apply(tf.layers.reshape({ name: "patches", targetShape: [height * across, width] }), patches);
}

/** x + attention(norm(x)), then x + dense(dense(norm(x))). */
function encoderBlock(steps: tf.SymbolicTensor, name: string, params: Params, seeds: () => number) {
  const { width, heads, hidden, activation } = params;
  const first = normalize(steps, `${name}_norm1`);
  const projections = ["query", "key", "value"].map((role) => dense(first, `${name}_${role}`, width, seeds));
  const attended = apply(new ScaledDotProductAttention({ name: `${name}_attention`, heads }), ...projections);
  const mixed = apply(tf.layers.add({ name: `${name}_add1` }), steps, dense(attended, `${name}_output`, width, seeds));
  const second = normalize(mixed, `${name}_norm2`);
  const inner = dense(second, `${name}_hidden`, hidden, seeds, activation);
  return apply(tf.layers.add({ name: `${name}_add2` }), mixed, dense(inner, `${name}_dense`, width, seeds));
}

function normalize(steps: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
  return apply(new LayerNormalization({ name, epsilon: 1e-5 }), steps);
}

function dense(
  input: tf.SymbolicTensor,
  name: string,
  units: number,
  seeds: () => number,
  activation: "linear" | "relu" | "gelu" = "linear",
): tf.SymbolicTensor {
  const kernelInitializer = tf.initializers.glorotUniform({ seed: seeds() });
  return apply(tf.layers.dense({ name, units, activation, kernelInitializer }), input);
}
