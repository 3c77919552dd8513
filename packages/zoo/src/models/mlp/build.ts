import { tf } from "@whittle/engine";
import { defineBuild } from "../../build.ts";
import { family } from "./contract.ts";

/** flatten -> (dense -> dropout)* -> logits; vectors are flat already. */
export const build = defineBuild(family, ({ hidden, activation, dropout }, { inputShape, classes, seeds }) => {
  const layers: tf.layers.Layer[] = inputShape.length > 1 ? [tf.layers.flatten({ name: "flatten", inputShape })] : [];
  const first = () => (layers.length === 0 ? { inputShape } : {});
  for (const [index, units] of hidden.entries()) {
    const kernelInitializer = tf.initializers.heNormal({ seed: seeds() });
    layers.push(tf.layers.dense({ name: `hidden${index + 1}`, units, activation, kernelInitializer, ...first() }));
    if (dropout > 0) layers.push(tf.layers.dropout({ name: `dropout${index + 1}`, rate: dropout }));
  }
  const kernelInitializer = tf.initializers.glorotUniform({ seed: seeds() });
  layers.push(tf.layers.dense({ name: "logits", units: classes, kernelInitializer, ...first() }));
  return tf.sequential({ name: "mlp", layers });
});
