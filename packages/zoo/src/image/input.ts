import { AppError } from "@whittle/contracts";
import { tf } from "@whittle/engine";

/**
 * The input of a model for images whose height and width it halves so many times.
 * @param family names the model in errors.
 * @throws AppError `invalid_request` for images that are too small.
 */
export function imageInput(family: string, inputShape: number[], halvings: number): tf.SymbolicTensor {
  const [height = 0, width = 0] = inputShape;
  const least = 2 ** halvings;
  if (Math.min(height, width) < least) {
    const reason = `whose height and width it halves ${halvings} times: they must be at least ${least} x ${least}`;
    const message = `this ${family} takes images ${reason}, not ${height} x ${width}`;
    throw new AppError("invalid_request", message, { issues: [{ path: "family", message }] });
  }
  return tf.input({ name: "input", shape: inputShape });
}
