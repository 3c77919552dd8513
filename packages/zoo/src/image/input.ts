import { AppError } from "@whittle/contracts";
import { tf } from "@whittle/engine";

/**
 * The input of a model for images whose height and width it halves so many times.
 * @param family names the model in errors.
 * @throws AppError `invalid_request` for samples that are no images, and for images that are too small.
 */
export function imageInput(family: string, inputShape: number[], halvings: number): tf.SymbolicTensor {
  checkImage(family, inputShape);
  const [height = 0, width = 0] = inputShape;
  const least = 2 ** halvings;
  if (Math.min(height, width) < least) {
    const reason = `whose height and width it halves ${halvings} times: they must be at least ${least} x ${least}`;
    throw new AppError("invalid_request", `This ${family} takes images ${reason}, not ${height} x ${width}`);
  }
  return tf.input({ name: "input", shape: inputShape });
}

/** @throws AppError `invalid_request` for samples that are no images. */
export function checkImage(family: string, inputShape: number[]): void {
  if (inputShape.length === 3) return;
  const given = `[${inputShape.join(", ")}]`;
  throw new AppError("invalid_request", `A ${family} takes images [height, width, channels], not ${given}`);
}
