import { tf } from "@whittle/engine";
import { defineBuild } from "../../build.ts";
import { convolve, convolveDepthwise } from "../../image/convolution.ts";
import { imageInput } from "../../image/input.ts";
import { apply, logitsOf } from "../../layers.ts";
import { family } from "./contract.ts";

/** convolution of stride 2 -> (depthwise convolution -> convolution of 1 x 1)+ -> average -> [dropout] -> logits. */
export const build = defineBuild(family, ({ filters, blocks, kernel, dropout }, shape) => {
  const { seeds } = shape;
  const activation = "relu";
  const input = imageInput(family.name, shape.inputShape, 1);
  let value = convolve(input, { name: "stem", filters, kernel, stride: 2, activation, seed: seeds() });
  for (let block = 1; block <= blocks; block++) {
    const name = `block${block}`;
    value = convolveDepthwise(value, { name: `${name}_depthwise`, kernel: [3, 3], activation, seed: seeds() });
    value = convolve(value, { name: `${name}_pointwise`, filters, kernel: [1, 1], activation, seed: seeds() });
  }
  const averages = apply(tf.layers.globalAveragePooling2d({ name: "average" }), value);
  return tf.model({ name: family.name, inputs: input, outputs: logitsOf(averages, dropout, shape) });
});
