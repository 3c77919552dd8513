import { z } from "zod";
import { tf } from "../../tf.ts";

/** A convolution in two dimensions, NHWC: sizes, strides, dilations and padding. */
export type Convolution = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

const pair = z.tuple([z.number(), z.number()]);
export const shape4 = z.tuple([z.number(), z.number(), z.number(), z.number()]);

/** The attributes by which tfjs describes a convolution to the kernels of its gradients. */
export const convolutionAttrs = z.object({
  strides: z.union([z.number(), pair]),
  dilations: z.union([z.number(), pair]).default(1),
  pad: z.union([z.literal(["valid", "same"]), z.number(), z.tuple([pair, pair, pair, pair])]),
  dimRoundingMode: z.literal(["floor", "round", "ceil"]).optional(),
});

export function convolutionOf(
  inputShape: number[],
  filterShape: number[],
  { strides, dilations, pad, dimRoundingMode }: z.infer<typeof convolutionAttrs>,
  depthwise: boolean,
): Convolution {
  const [input, filter] = [shape4.parse(inputShape), shape4.parse(filterShape)];
  return tf.backend_util.computeConv2DInfo(input, filter, strides, dilations, pad, dimRoundingMode, depthwise);
}

/** What `compute` gives for each place of the filter, row by row; `top` and `left` are in pixels of the padded input. */
export function eachPlace<T>(conv: Convolution, compute: (top: number, left: number, place: number) => T): T[] {
  return Array.from({ length: conv.filterHeight * conv.filterWidth }, (_, place) => {
    const row = Math.floor(place / conv.filterWidth);
    const column = place % conv.filterWidth;
    return compute(row * conv.dilationHeight, column * conv.dilationWidth, place);
  });
}

/** The input with the convolution's zeroes around it. */
export function padInput(x: tf.Tensor, { padInfo }: Convolution): tf.Tensor {
  const { top, bottom, left, right } = padInfo;
  const none: [number, number] = [0, 0];
  return top + bottom + left + right === 0 ? x : tf.pad(x, [none, [top, bottom], [left, right], none]);
}

/** The pixels that one place of the filter meets: [batch, outHeight, outWidth, inChannels], out of the padded input. */
export function pixels(padded: tf.Tensor, conv: Convolution, top: number, left: number): tf.Tensor {
  const { batchSize, inChannels, strideHeight, strideWidth, outHeight, outWidth } = conv;
  const bottom = top + (outHeight - 1) * strideHeight + 1;
  const right = left + (outWidth - 1) * strideWidth + 1;
  const end = [batchSize, bottom, right, inChannels];
  return tf.stridedSlice(padded, [0, top, left, 0], end, [1, strideHeight, strideWidth, 1]);
}
