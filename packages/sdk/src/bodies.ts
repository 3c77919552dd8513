import type { ExplainParameters, InferInput } from "./types.ts";

/** What the serving app is sent for a prediction: typed arrays become lists. */
export function inferBody(inputs: readonly InferInput[]) {
  return { inputs: inputs.map((input) => ({ ...input, data: Array.from(input.data) })) };
}

/** The same for an explanation. */
export function explainBody(input: InferInput, { baseline, ...others }: ExplainParameters) {
  const given = typeof baseline === "object" ? Array.from(baseline) : baseline;
  return { ...inferBody([input]), parameters: { ...others, ...(given !== undefined && { baseline: given }) } };
}
