import { tf } from "../../tf.ts";
import { composeKernel } from "./compose.ts";
import { convolutionAttrs, convolutionOf, eachPlace, shape4, type Convolution } from "./windows.ts";

const attrs = convolutionAttrs.extend({ inputShape: shape4 });

/** dL/dx of a depthwise convolution: each place of the filter gives the pixels that it meets w dy, summed over the multiplier. */
export function registerDepthwiseInput(): void {
  composeKernel("DepthwiseConv2dNativeBackpropInput", attrs, (input, { inputShape, ...rest }) => {
    const filter = input("filter");
    const conv = convolutionOf(inputShape, filter.shape, rest, true);
    const [, , channels, multiplier] = shape4.parse(filter.shape);
    const weights = tf.reshape(filter, [-1, channels, multiplier]);
    const dy = tf.reshape(input("dy"), [-1, channels, multiplier]);
    const places = eachPlace(conv, (top, left, place) =>
      tf.tidy(() => scatter(tf.sum(tf.mul(dy, tf.slice(weights, place, 1)), -1), conv, top, left)),
    );
    const { padInfo, batchSize, inHeight, inWidth } = conv;
    return tf.slice(tf.addN(places), [0, padInfo.top, padInfo.left, 0], [batchSize, inHeight, inWidth, channels]);
  });
}

/** Puts [batch * outHeight * outWidth, channels] where {@link pixels} takes them from, with zeroes elsewhere. */
function scatter(values: tf.Tensor, conv: Convolution, top: number, left: number): tf.Tensor {
  const { batchSize, inChannels, outHeight, outWidth, strideHeight, strideWidth, padInfo } = conv;
  const spread = spreadOut(tf.reshape(values, [batchSize, outHeight, outWidth, inChannels]), strideHeight, strideWidth);
  const [, height = 0, width = 0] = spread.shape;
  const below = padInfo.top + conv.inHeight + padInfo.bottom - top - height;
  const beside = padInfo.left + conv.inWidth + padInfo.right - left - width;
  return tf.pad(spread, [
    [0, 0],
    [top, below],
    [left, beside],
    [0, 0],
  ]);
}

/** Puts `rows` - 1 rows and `columns` - 1 columns of zeroes between the pixels of [batch, height, width, channels]. */
function spreadOut(x: tf.Tensor, rows: number, columns: number): tf.Tensor {
  if (rows === 1 && columns === 1) return x;
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const wide = fill(tf.reshape(x, [-1, 1, channels]), columns);
  const tall = fill(tf.reshape(wide, [batch * height, 1, width * columns * channels]), rows);
  const spread = tf.reshape(tall, [batch, height * rows, width * columns, channels]);
  const size = [batch, (height - 1) * rows + 1, (width - 1) * columns + 1, channels];
  return tf.slice(spread, [0, 0, 0, 0], size);
}

/** [n, 1, m] with zeroes after it along the middle axis: [n, length, m]. */
function fill(x: tf.Tensor, length: number): tf.Tensor {
  return tf.pad(x, [
    [0, 0],
    [0, length - 1],
    [0, 0],
  ]);
}
