import { AppError } from "@whittle/contracts";
import { tf } from "@whittle/engine";
import type { BuildShape } from "./build.ts";

/** What a layer gives for symbolic inputs. @throws AppError `internal` when that is not one symbolic tensor. */
export function apply(layer: tf.layers.Layer, ...inputs: tf.SymbolicTensor[]): tf.SymbolicTensor {
  const [first] = inputs;
  const output = layer.apply(inputs.length === 1 && first ? first : inputs);
  if (output instanceof tf.SymbolicTensor) return output;
  throw new AppError("internal", `${layer.name} does not give one symbolic tensor`);
}

/** Features -> [dropout] -> logits. */
export function logitsOf(features: tf.SymbolicTensor, dropout: number, { classes, seeds }: BuildShape) {
  const kept = dropout > 0 ? apply(tf.layers.dropout({ name: "dropout", rate: dropout }), features) : features;
  const kernelInitializer = tf.initializers.glorotUniform({ seed: seeds() });
  return apply(tf.layers.dense({ name: "logits", units: classes, kernelInitializer }), kept);
}
