import { AppError, parse } from "@whittle/contracts";
import { explain, type Classifier, type ExplainOptions, type Explanation } from "@whittle/onnx/explain";
import { onlyTensors } from "@whittle/onnx/runtime";
import { z } from "zod";
import type { Servable } from "../../engine/servable.ts";
import { fromJsonValues } from "../../tensors/elements.ts";
import { readNested } from "../../tensors/nested.ts";
import type { InferRequest } from "./request.ts";

/** What an explanation may cost, and the most samples in one call of the model. */
export interface ExplainLimits {
  maxEvaluations: number;
  maxBatch: number;
}

/** Values of the samples in one call of the model (4 MiB): of large inputs a whole batch would be many times what anybody sent. */
const MOST_VALUES = 2 ** 20;

/** By default, where the limit lets it. */
const EVALUATIONS = 2000;

const optionsWithin = (maxEvaluations: number) =>
  z.strictObject({
    class: z
      .union([z.int().nonnegative(), z.string()], { error: "must be the index or the label of a class" })
      .optional(),
    output: z.enum(["probability", "logit"]).default("probability"),
    patch: z.int().min(1).optional(),
    evaluations: z.int().min(2).max(maxEvaluations).default(Math.min(EVALUATIONS, maxEvaluations)),
    baseline: z.unknown().optional(),
    seed: z.int().min(0).max(0xffff_ffff).default(0),
  });

/**
 * Explains the answer to the one sample of a request. It runs the model batch by batch, each of them queued like a prediction when the one
 * before it is done: a prediction waits for one of them at most.
 * @param isGone whether the caller has left; no more batches are run then.
 * @throws AppError `invalid_request` when the sample or an option does not fit, `unsupported` for what is no classifier of samples.
 */
export async function explainRequest(
  servable: Servable,
  { inputs, parameters = {} }: InferRequest,
  { maxEvaluations, maxBatch }: ExplainLimits,
  isGone: () => boolean,
): Promise<Record<string, unknown>> {
  const { baseline, ...asked } = parse(optionsWithin(maxEvaluations), parameters, "The request", "parameters");
  const options: ExplainOptions = { ...asked, baseline: baseline === undefined ? undefined : numbersOf(baseline) };
  const [input, output] = onlyTensors(servable.specs);
  const given = inputs[input.name];
  if (given === undefined || !(given.data instanceof Float32Array))
    throw new AppError("internal", `the input "${input.name}" was not read`);
  const [samples = 1, ...shape] = given.shape;
  const fixed = input.shape[0] === -1 ? undefined : input.shape[0];
  if (samples !== 1) throw notOne(input.name, samples, fixed);
  const predict: Classifier["predict"] = async (data, count) => {
    if (isGone()) throw new AppError("cancelled", "the caller has left");
    const results = await servable.infer({ [input.name]: { datatype: "FP32", shape: [count, ...shape], data } });
    const logits = results[output.name];
    const fits = logits?.shape.length === 2 && logits.shape[0] === count;
    if (fits && logits.data instanceof Float32Array) return logits.data;
    throw new AppError(
      "unsupported",
      `output "${output.name}" is no [n, classes], and only such scores can be explained`,
    );
  };
  const batch = fixed ?? Math.max(1, Math.min(maxBatch, Math.floor(MOST_VALUES / given.data.length)));
  const classifier = { shape, config: servable.manifest.config, batch, predict };
  return written(servable, await explain(classifier, given.data, options), options);
}

function numbersOf(baseline: unknown): Float32Array {
  const path = "parameters.baseline";
  return Float32Array.from(fromJsonValues("FP32", readNested(baseline, path).values, path), Number);
}

function notOne(name: string, samples: number, fixed: number | undefined): AppError {
  if (fixed !== undefined)
    return new AppError("unsupported", `the model answers ${fixed} samples at once, and one is explained at a time`);
  const message = `holds ${samples} samples, must hold the one to explain`;
  return new AppError("invalid_request", `input "${name}" ${message}`, {
    issues: [{ path: "inputs.0.shape", message }],
  });
}

/** As JSON, named as the protocol names things. */
function written({ name, version }: Servable, found: Explanation, { output, seed }: ExplainOptions) {
  const { baselineValue, standardErrors, method, permutations, evaluations, values, parts, baseline, value } = found;
  return {
    model_name: name,
    model_version: String(version),
    class: found.class,
    ...(found.label !== undefined && { label: found.label }),
    output,
    value,
    baseline_value: baselineValue,
    baseline,
    parts,
    values,
    ...(standardErrors && { standard_errors: standardErrors }),
    method,
    ...(permutations !== undefined && { permutations, seed }),
    evaluations,
  };
}
