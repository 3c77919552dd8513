import { attentionRules } from "./attention.ts";
import { elementwiseRules } from "./elementwise.ts";
import { kernelRules } from "./kernels.ts";
import { mergeRules } from "./merge.ts";
import { recurrentRules } from "./recurrent.ts";
import type { Rule } from "./rule.ts";
import { shapeRules } from "./shape.ts";

/** Keras layer class to the rule that follows channels through it. */
export const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    ...kernelRules,
    ...recurrentRules,
    ...elementwiseRules,
    ...shapeRules,
    ...mergeRules,
    ...attentionRules,
  }),
);
