import { AppError, type ModelConfig } from "@whittle/contracts";

/** What stands in the place of a part that is taken out. */
export interface Baseline {
  values: Float32Array;
  /** What it is, for whom reads the numbers. */
  name: string;
}

const padding = /^\W*pad\W*$/i;

/**
 * The baseline of an input of `size` values, as the model sees them.
 * @param given one value for every place, or the value of each; without it what the model's record knows to be neutral: the padding of its
 *   vocabulary (token 0 where none is called so), otherwise a raw value of 0.
 * @throws AppError `invalid_request` when it has neither one value nor as many as the input, or what is no token of a vocabulary.
 */
export function baselineOf(
  { vocabulary, preprocessing }: Pick<ModelConfig, "vocabulary" | "preprocessing">,
  size: number,
  given?: Float32Array,
): Baseline {
  const everywhere = (value: number, name: string) => ({ values: new Float32Array(size).fill(value), name });
  if (given !== undefined) {
    const [first = 0] = given;
    if (vocabulary && !given.every((id) => Number.isInteger(id) && id >= 0 && id < vocabulary.length))
      throw wrong(`must be tokens, whole numbers from 0 to ${vocabulary.length - 1}`);
    if (given.length === size && size > 1) return { values: given, name: "the sample given as the baseline" };
    if (given.length === 1) return everywhere(first, `${first} in every place, as given`);
    throw wrong(`must be one number or the ${size} values of a sample, not ${given.length}`);
  }
  if (vocabulary === undefined) {
    const { offset } = preprocessing;
    return everywhere(
      offset,
      offset === 0 ? "a raw value of 0" : `a raw value of 0, which the model sees as ${offset}`,
    );
  }
  const token = Math.max(
    0,
    vocabulary.findIndex((each) => padding.test(each)),
  );
  return everywhere(token, `token ${token} (${JSON.stringify(vocabulary[token])})`);
}

function wrong(message: string): AppError {
  return new AppError("invalid_request", `baseline ${message}`, { issues: [{ path: "baseline", message }] });
}
