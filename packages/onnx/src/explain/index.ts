export { explain, type Classifier, type ExplainOptions, type Explanation } from "./explain.ts";
