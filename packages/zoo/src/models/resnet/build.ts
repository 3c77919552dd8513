import { tf } from "@whittle/engine";
import { defineBuild } from "../../build.ts";
import { convolve } from "../../image/convolution.ts";
import { imageInput } from "../../image/input.ts";
import { apply, logitsOf } from "../../layers.ts";
import { family } from "./contract.ts";

const kernel: [number, number] = [3, 3];
/** Filters of each stage, as multiples of the first's. */
const widths = [1, 2, 4];

/** convolution -> three stages of residual blocks -> average -> logits. */
export const build = defineBuild(family, ({ depth, filters, shortcut }, shape) => {
  const { seeds } = shape;
  const input = imageInput(family.name, shape.inputShape, widths.length - 1);
  let value = convolve(input, { name: "stem", filters, kernel, activation: "relu", seed: seeds() });
  for (const [stage, multiple] of widths.entries()) {
    for (let block = 0; block < (depth - 2) / 6; block++) {
      const name = `stage${stage + 1}_block${block + 1}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      value = residualBlock(value, { name, filters: filters * multiple, stride, shortcut, seeds });
    }
  }
  const features = apply(tf.layers.globalAveragePooling2d({ name: "average" }), value);
  return tf.model({ name: family.name, inputs: input, outputs: logitsOf(features, 0, shape) });
});

interface Block {
  name: string;
  filters: number;
  /** Where it is not 1, the block changes the number of channels as well. */
  stride: number;
  shortcut: "projection" | "padding";
  seeds: () => number;
}

/** ReLU(F(x) + shortcut(x)), where F is convolution -> normalization -> ReLU -> convolution -> normalization. */
function residualBlock(value: tf.SymbolicTensor, { name, filters, stride, shortcut, seeds }: Block) {
  const inner = convolve(value, { name: `${name}_a`, filters, kernel, stride, activation: "relu", seed: seeds() });
  const residual = convolve(inner, { name: `${name}_b`, filters, kernel, seed: seeds() });
  const around = { name: `${name}_shortcut`, filters, kernel: [1, 1] as [number, number], stride };
  const passed =
    stride === 1
      ? value
      : shortcut === "projection"
        ? convolve(value, { ...around, seed: seeds() })
        : padChannels(value, around);
  const sum = apply(tf.layers.add({ name: `${name}_add` }), residual, passed);
  return apply(tf.layers.reLU({ name: `${name}_relu` }), sum);
}

/** Every `stride`th row and column, with channels of zeros after the given ones. */
function padChannels(
  value: tf.SymbolicTensor,
  { name, filters, stride }: { name: string; filters: number; stride: number },
) {
  const { layers } = tf;
  const zeros = filters - (value.shape.at(-1) ?? 0);
  // Keras pads the second and third axis: the channels change places with the columns for that.
  const swap = (end: string) => layers.permute({ name: `${name}_${end}`, dims: [1, 3, 2] });
  const steps = [
    layers.maxPooling2d({ name: `${name}_pick`, poolSize: 1, strides: stride, padding: "same" }),
    swap("columns_last"),
    layers.zeroPadding2d({
      name: `${name}_pad`,
      padding: [
        [0, 0],
        [0, zeros],
      ],
    }),
    swap("channels_last"),
  ];
  return steps.reduce((passed, step) => apply(step, passed), value);
}
