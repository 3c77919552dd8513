import { tf } from "@whittle/engine";
import { defineBuild } from "../../build.ts";
import { family } from "./contract.ts";

/** flatten -> (dense -> dropout)* -> logits. */
export const build = defineBuild(family, ({ hidden, activation, dropout }, { inputShape, classes, seeds }) => {
  const layers: tf.layers.Layer[] = [tf.layers.flatten({ name: "flatten", inputShape })];
  for (const [index, units] of hidden.entries()) {
    const kernelInitializer = tf.initializers.heNormal({ seed: seeds() });
    layers.push(tf.layers.dense({ name: `hidden${index + 1}`, units, activation, kernelInitializer }));
    if (dropout > 0) layers.push(tf.layers.dropout({ name: `dropout${index + 1}`, rate: dropout }));
  }
  const kernelInitializer = tf.initializers.glorotUniform({ seed: seeds() });
  layers.push(tf.layers.dense({ name: "logits", units: classes, kernelInitializer }));
  return tf.sequential({ name: "mlp", layers });
});
