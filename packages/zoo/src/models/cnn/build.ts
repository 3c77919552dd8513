import { AppError } from "@whittle/contracts";
import { tf } from "@whittle/engine";
import { defineBuild } from "../../build.ts";
import { family } from "./contract.ts";

/** (convolution -> [batch normalization] -> ReLU -> max pooling)+ -> flatten -> [dense] -> [dropout] -> logits. */
export const build = defineBuild(family, (params, { inputShape, classes, seeds }) => {
  checkSize(inputShape, params.filters.length);
  const model = tf.sequential({ name: "cnn" });
  for (const [index, filters] of params.filters.entries()) {
    const block = { ...params, number: index + 1, filters, seed: seeds() };
    for (const layer of convolutionBlock(block, index === 0 ? inputShape : undefined)) model.add(layer);
  }
  model.add(tf.layers.flatten({ name: "flatten" }));
  if (params.dense > 0) {
    const kernelInitializer = tf.initializers.heNormal({ seed: seeds() });
    model.add(tf.layers.dense({ name: "dense", units: params.dense, activation: "relu", kernelInitializer }));
  }
  if (params.dropout > 0) model.add(tf.layers.dropout({ name: "dropout", rate: params.dropout }));
  const kernelInitializer = tf.initializers.glorotUniform({ seed: seeds() });
  model.add(tf.layers.dense({ name: "logits", units: classes, kernelInitializer }));
  return model;
});

interface Block {
  number: number;
  filters: number;
  kernel: number;
  batchNorm: boolean;
  seed: number;
}

function convolutionBlock(
  { number, filters, kernel, batchNorm, seed }: Block,
  inputShape?: number[],
): tf.layers.Layer[] {
  const convolution = tf.layers.conv2d({
    name: `conv${number}`,
    filters,
    kernelSize: kernel,
    padding: "same",
    // Batch normalization has a bias of its own.
    useBias: !batchNorm,
    kernelInitializer: tf.initializers.heNormal({ seed }),
    ...(inputShape && { inputShape }),
  });
  return [
    convolution,
    ...(batchNorm ? [tf.layers.batchNormalization({ name: `norm${number}` })] : []),
    tf.layers.activation({ name: `relu${number}`, activation: "relu" }),
    tf.layers.maxPooling2d({ name: `pool${number}`, poolSize: 2 }),
  ];
}

function checkSize([height = 0, width = 0]: number[], blocks: number): void {
  const most = Math.floor(Math.log2(Math.min(height, width)));
  if (blocks <= most) return;
  const message = `must have at most ${most} blocks for images of ${height} x ${width}, which each block halves`;
  throw new AppError("invalid_request", `filters ${message}`, { issues: [{ path: "familyParams.filters", message }] });
}
