import { firstInput, opaque, type Rule } from "./rule.ts";

/**
 * Attention of several heads on queries, keys and values [steps, heads * d] that have been projected. A head goes as a whole, with its d
 * channels of all three and of what comes out.
 */
const attention: Rule = (use) => {
  const [values = []] = use.inputs;
  const heads = Number(use.config["heads"]);
  const depth = values.length / heads;
  if (!Number.isInteger(depth) || use.inputs.some(({ length }) => length !== values.length))
    return opaque("its queries, keys and values are not equally wide");
  const firsts = values.filter((_, at) => at % depth === 0);
  const ofHead = values.map((_, at) => firsts[Math.floor(at / depth)] ?? 0);
  for (const input of use.inputs) use.couple(input, ofHead);
  use.resize("heads", firsts);
  return values;
};

/** A learned vector for each step: positions [steps, channels]. */
const positions: Rule = (use) => {
  use.bind("positions", 1, firstInput(use));
  return firstInput(use);
};

export const attentionRules: Record<string, Rule> = {
  ScaledDotProductAttention: attention,
  LearnedPositions: positions,
};
