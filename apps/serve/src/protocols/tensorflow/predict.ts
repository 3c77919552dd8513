import { AppError, type TensorSpec } from "@whittle/contracts";
import type { ModelSpecs, Tensors } from "../../engine/messages.ts";
import { checkNames, checkRows, checkShape } from "../../tensors/check.ts";
import { fromJsonValues } from "../../tensors/elements.ts";
import { parseLenientJson } from "../../tensors/lenient-json.ts";
import { readNested, writeNested } from "../../tensors/nested.ts";

export const SIGNATURE = "serving_default";

/** `row`: one value for each sample; `column`: one value for each tensor. */
export type Format = "row" | "column";

export interface PredictRequest {
  format: Format;
  inputs: Tensors;
}

type JsonObject = Record<string, unknown>;

/**
 * Reads the body of a `:predict` call, in row form (`instances`) or column form (`inputs`).
 * @throws AppError `invalid_request` saying what the model takes.
 */
export function readPredictRequest(body: Uint8Array, { inputs: specs }: ModelSpecs): PredictRequest {
  const request = readObject(body);
  const { signature_name: signature = SIGNATURE, instances, inputs } = request;
  if (signature !== SIGNATURE)
    throw invalid(`there is no signature ${JSON.stringify(signature)}; the model has "${SIGNATURE}"`);
  if (instances !== undefined && inputs !== undefined)
    throw invalid('give "instances" (row form) or "inputs" (column form), not both');
  if (instances === undefined && inputs === undefined)
    throw invalid('"instances" (row form) or "inputs" (column form) is missing');
  const format = instances === undefined ? "column" : "row";
  const columns = format === "row" ? readRows(instances, specs) : readColumns(inputs, specs);
  checkNames(Object.keys(columns), specs);
  const tensors = Object.fromEntries(specs.map((spec) => [spec.name, readTensor(columns[spec.name], spec)]));
  checkRows(tensors, specs);
  return { format, inputs: tensors };
}

/** Writes the answer in the form of the request; with one output its values stand without its name. */
export function writePredictResponse(format: Format, { outputs: specs }: ModelSpecs, results: Tensors): string {
  const outputs = specs.flatMap(({ name }) => {
    const tensor = results[name];
    return tensor ? [{ name, tensor }] : [];
  });
  const [only, another] = outputs;
  if (only && !another) return `{"${format === "row" ? "predictions" : "outputs"}":${writeNested(only.tensor)}}`;
  if (format === "column") return `{"outputs":${writeObject(outputs)}}`;
  const rows = Array.from({ length: only?.tensor.shape[0] ?? 0 }, (_, row) =>
    writeObject(outputs.map(({ name, tensor }) => ({ name, tensor: rowOf(tensor, row) }))),
  );
  return `{"predictions":[${rows.join(",")}]}`;
}

function writeObject(outputs: { name: string; tensor: Tensors[string] }[]): string {
  return `{${outputs.map(({ name, tensor }) => `${JSON.stringify(name)}:${writeNested(tensor)}`).join(",")}}`;
}

function rowOf({ shape, datatype, data }: Tensors[string], row: number): Tensors[string] {
  const size = data.length / (shape[0] ?? 1);
  return { shape: shape.slice(1), datatype, data: data.subarray(row * size, (row + 1) * size) };
}

function readObject(body: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = parseLenientJson(new TextDecoder().decode(body));
  } catch (error) {
    throw invalid(`the body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (isObject(value)) return value;
  throw invalid('the body must be a JSON object with "instances" or "inputs"');
}

function readRows(instances: unknown, specs: readonly TensorSpec[]): JsonObject {
  if (!Array.isArray(instances) || instances.length === 0)
    throw invalid('"instances" must be a list with at least one instance');
  const [only, another] = specs;
  if (!instances.some(isObject)) {
    if (only && !another) return { [only.name]: instances };
    throw invalid(`the model has several inputs, so every instance must be an object with ${namesOf(specs)}`);
  }
  if (!instances.every(isObject)) throw invalid('"instances" must be all objects or all values');
  for (const [index, instance] of instances.entries()) {
    const names = Object.keys(instance);
    if (names.length !== specs.length || specs.some(({ name }) => !Object.hasOwn(instance, name)))
      throw invalid(`instance ${index} has ${names.join(", ") || "nothing"}; it must have ${namesOf(specs)}`);
  }
  return Object.fromEntries(specs.map(({ name }) => [name, instances.map((instance) => instance[name])]));
}

function readColumns(inputs: unknown, specs: readonly TensorSpec[]): JsonObject {
  if (isObject(inputs)) return inputs;
  const [only, another] = specs;
  if (only && !another) return { [only.name]: inputs };
  throw invalid(`the model has several inputs, so "inputs" must be an object with ${namesOf(specs)}`);
}

function readTensor(value: unknown, spec: TensorSpec): Tensors[string] {
  const path = `input "${spec.name}"`;
  const { shape, values } = readNested(value, path);
  checkShape(shape, spec, path);
  return { shape, datatype: spec.datatype, data: fromJsonValues(spec.datatype, values, path, { nonFinite: true }) };
}

function namesOf(specs: readonly TensorSpec[]): string {
  return specs.map(({ name }) => name).join(", ");
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(message: string): AppError {
  return new AppError("invalid_request", message);
}
