import { tf } from "../../tf.ts";
import { composeKernel } from "./compose.ts";
import { convolutionAttrs, convolutionOf, eachPlace, padInput, pixels, shape4 } from "./windows.ts";

const attrs = convolutionAttrs.extend({ filterShape: shape4 });

/** dL/dw of a depthwise convolution: at each place of the filter, x dy summed over all pixels that the place meets, [channels, multiplier]. */
export function registerDepthwiseFilter(): void {
  composeKernel("DepthwiseConv2dNativeBackpropFilter", attrs, (input, { filterShape, ...rest }) => {
    const x = input("x");
    const conv = convolutionOf(x.shape, filterShape, rest, true);
    const padded = padInput(x, conv);
    const [, , channels, multiplier] = filterShape;
    const dy = tf.reshape(input("dy"), [-1, channels, multiplier]);
    const places = eachPlace(conv, (top, left) =>
      tf.tidy(() => tf.sum(tf.mul(tf.reshape(pixels(padded, conv, top, left), [-1, channels, 1]), dy), 0)),
    );
    return tf.reshape(tf.concat(places, 0), filterShape);
  });
}
