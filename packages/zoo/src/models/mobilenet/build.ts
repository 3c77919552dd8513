import { tf } from "@whittle/engine";
import { defineBuild } from "../../build.ts";
import { convolve, convolveDepthwise } from "../../image/convolution.ts";
import { imageInput } from "../../image/input.ts";
import { apply, logitsOf } from "../../layers.ts";
import { family } from "./contract.ts";

const point: [number, number] = [1, 1];
const kernel: [number, number] = [3, 3];
const stemFilters = 32;

/** convolution -> inverted residual blocks -> convolution of 1 x 1 -> average -> [dropout] -> logits. */
export const build = defineBuild(family, ({ width, stages, features, dropout }, shape) => {
  const { seeds } = shape;
  const activation = "relu6";
  const input = imageInput(family.name, shape.inputShape, stages.filter(({ stride }) => stride === 2).length);
  const stem = { name: "stem", filters: roundToEight(stemFilters * width), kernel, activation, seed: seeds() } as const;
  let value = convolve(input, stem);
  for (const [at, { expansion, filters, blocks, stride }] of stages.entries()) {
    for (let block = 0; block < blocks; block++) {
      const name = `stage${at + 1}_block${block + 1}`;
      const channels = roundToEight(filters * width);
      value = invertedResidual(value, { name, expansion, filters: channels, stride: block === 0 ? stride : 1, seeds });
    }
  }
  const filters = roundToEight(features * Math.max(1, width));
  value = convolve(value, { name: "features", filters, kernel: point, activation, seed: seeds() });
  const averages = apply(tf.layers.globalAveragePooling2d({ name: "average" }), value);
  return tf.model({ name: family.name, inputs: input, outputs: logitsOf(averages, dropout, shape) });
});

interface Block {
  name: string;
  expansion: number;
  filters: number;
  stride: number;
  seeds: () => number;
}

/** Expansion by 1 x 1 -> depthwise 3 x 3 -> projection by 1 x 1, without an activation; the input is added where the shape allows it. */
function invertedResidual(value: tf.SymbolicTensor, { name, expansion, filters, stride, seeds }: Block) {
  const channels = value.shape.at(-1) ?? 0;
  const activation = "relu6";
  const expand = { name: `${name}_expand`, filters: channels * expansion, kernel: point, activation } as const;
  const inner = expansion === 1 ? value : convolve(value, { ...expand, seed: seeds() });
  const depthwise = convolveDepthwise(inner, { name: `${name}_depthwise`, kernel, stride, activation, seed: seeds() });
  const projected = convolve(depthwise, { name: `${name}_project`, filters, kernel: point, seed: seeds() });
  if (stride !== 1 || filters !== channels) return projected;
  return apply(tf.layers.add({ name: `${name}_add` }), value, projected);
}

/** The multiple of 8 that is nearest, at least 8 and never more than 10% below. */
function roundToEight(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}
