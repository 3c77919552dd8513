import type { Channels } from "../coupling.ts";
import { isLastAxis, opaque, type LayerUse, type Rule } from "./rule.ts";

function coupleAll(use: LayerUse, inputs: readonly Channels[]): Channels {
  const [first = [], ...others] = inputs;
  for (const other of others) use.couple(first, other);
  return first;
}

/** A sum, product and so on of values whose channels meet one by one, so that they go together (residual connections). */
const elementwise: Rule = (use) => {
  const sizes = new Set(use.inputs.map(({ length }) => length));
  return sizes.size === 1 ? coupleAll(use, use.inputs) : opaque("it spreads one channel over many");
};

const concatenate: Rule = (use) => (isLastAxis(use) ? use.inputs.flat() : coupleAll(use, use.inputs));

export const mergeRules: Record<string, Rule> = {
  Add: elementwise,
  Average: elementwise,
  Maximum: elementwise,
  Minimum: elementwise,
  Multiply: elementwise,
  Concatenate: concatenate,
};
