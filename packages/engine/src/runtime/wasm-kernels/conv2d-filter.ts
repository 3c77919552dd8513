import { tf } from "../../tf.ts";
import { composeKernel } from "./compose.ts";
import { convolutionAttrs, convolutionOf, eachPlace, padInput, pixels, shape4 } from "./windows.ts";

const attrs = convolutionAttrs.extend({ filterShape: shape4 });

/** dL/dw of a convolution: at each place of the filter, x^T dy over all pixels that the place meets, [inChannels, outChannels]. */
export function registerConv2dFilter(): void {
  composeKernel("Conv2DBackpropFilter", attrs, (input, { filterShape, ...rest }) => {
    const x = input("x");
    const conv = convolutionOf(x.shape, filterShape, rest, false);
    const padded = padInput(x, conv);
    const dy = tf.reshape(input("dy"), [-1, conv.outChannels]);
    const places = eachPlace(conv, (top, left) =>
      tf.tidy(() => tf.matMul(tf.reshape(pixels(padded, conv, top, left), [-1, conv.inChannels]), dy, true)),
    );
    return tf.reshape(tf.concat(places, 0), filterShape);
  });
}
