import { AppError, parse, type TensorSpec } from "@whittle/contracts";
import { z } from "zod";
import type { ModelSpecs, Tensors, TensorData } from "../../engine/messages.ts";
import { readJson } from "../body.ts";
import { checkNames, checkRows, checkShape } from "../../tensors/check.ts";
import { elementCount, elementTypes, fromBytes, fromJsonValues } from "../../tensors/elements.ts";
import { readNested } from "../../tensors/nested.ts";

const parameters = z.record(z.string(), z.unknown()).optional();

const inferRequest = z.object({
  id: z.string().optional(),
  parameters,
  inputs: z.array(
    z.object({
      name: z.string(),
      shape: z.array(z.int().nonnegative()),
      datatype: z.string(),
      parameters,
      data: z.unknown().optional(),
    }),
  ),
  outputs: z.array(z.object({ name: z.string(), parameters })).optional(),
});

type RequestInput = z.infer<typeof inferRequest>["inputs"][number];

export interface InferRequest {
  id?: string;
  parameters?: Record<string, unknown>;
  inputs: Tensors;
  /** The outputs that are asked for, in that order. */
  outputs: { name: string; binary: boolean }[];
}

/**
 * Reads the body of an `infer` call.
 * @param headerLength value of `Inference-Header-Content-Length`: how much of the body is JSON, the rest being raw tensors in the order of
 *   the JSON; 0: the whole body is the one sample of the model's one input.
 * @throws AppError `invalid_request` saying what the model takes.
 */
export function readInferRequest(body: Uint8Array, headerLength: number | undefined, specs: ModelSpecs): InferRequest {
  if (headerLength === 0) return readRaw(body, specs);
  const jsonLength = headerLength ?? body.byteLength;
  if (jsonLength > body.byteLength)
    throw new AppError(
      "invalid_request",
      `Inference-Header-Content-Length is ${jsonLength}, but the body has ${body.byteLength} bytes`,
    );
  const request = parse(inferRequest, readJson(body.subarray(0, jsonLength)), "The inference request");
  checkNames(
    request.inputs.map(({ name }) => name),
    specs.inputs,
  );
  const binary = new BinaryReader(body.subarray(jsonLength));
  const inputs = Object.fromEntries(
    request.inputs.map((input, index) => [input.name, readInput(input, `inputs.${index}`, specs, binary)]),
  );
  binary.end();
  checkRows(inputs, specs.inputs);
  const { id, parameters: given } = request;
  const outputs = askedOutputs(request, specs);
  return { ...(id !== undefined && { id }), ...(given && { parameters: given }), inputs, outputs };
}

/** What the value of the header says. @throws AppError `invalid_request`. */
export function readHeaderLength(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new AppError(
    "invalid_request",
    "Inference-Header-Content-Length must be the number of bytes of JSON in the body",
  );
}

function readInput(input: RequestInput, path: string, { inputs }: ModelSpecs, binary: BinaryReader) {
  const spec = inputs.find(({ name }) => name === input.name);
  if (spec?.datatype !== input.datatype) {
    const message = `is ${input.datatype}, must be ${spec?.datatype}`;
    throw new AppError("invalid_request", `input "${input.name}" ${message}`, {
      issues: [{ path: `${path}.datatype`, message }],
    });
  }
  checkShape(input.shape, spec, `input "${input.name}"`);
  return { shape: input.shape, datatype: spec.datatype, data: readData(input, spec, path, binary) };
}

function readData(input: RequestInput, spec: TensorSpec, path: string, binary: BinaryReader): TensorData {
  const count = elementCount(input.shape);
  const size = input.parameters?.["binary_data_size"];
  if (size !== undefined) {
    const expected = count * elementTypes[spec.datatype].bytes;
    if (input.data !== undefined)
      throw new AppError("invalid_request", `input "${input.name}" has both data and binary_data_size`);
    if (size !== expected)
      throw new AppError(
        "invalid_request",
        `input "${input.name}" has binary_data_size ${JSON.stringify(size)}; ${spec.datatype} [${input.shape.join(", ")}] has ${expected} bytes`,
      );
    return fromBytes(spec.datatype, binary.take(expected, input.name));
  }
  if (input.data === undefined) throw new AppError("invalid_request", `input "${input.name}" has no data`);
  const { shape, values } = readNested(input.data, `${path}.data`);
  const isFlat = shape.length === 1;
  if (values.length !== count || !(isFlat || shape.join() === input.shape.join())) {
    const found = isFlat ? `${values.length} values` : `the shape [${shape.join(", ")}]`;
    throw new AppError(
      "invalid_request",
      `input "${input.name}": data has ${found}, but its shape [${input.shape.join(", ")}] means ${count} values`,
    );
  }
  return fromJsonValues(spec.datatype, values, `${path}.data`);
}

function readRaw(body: Uint8Array, specs: ModelSpecs): InferRequest {
  const [spec, another] = specs.inputs;
  if (spec === undefined || another !== undefined)
    throw new AppError("invalid_request", "a raw body is for models with one input: send JSON with the tensors' names");
  const shape = spec.shape.map((size, axis) => (axis === 0 && size === -1 ? 1 : size));
  if (shape.includes(-1))
    throw new AppError("invalid_request", `input "${spec.name}" has a free size: send JSON with its shape`);
  const expected = elementCount(shape) * elementTypes[spec.datatype].bytes;
  if (body.byteLength !== expected)
    throw new AppError(
      "invalid_request",
      `the body has ${body.byteLength} bytes; one sample of input "${spec.name}", ${spec.datatype} [${shape.join(", ")}], has ${expected}`,
    );
  const inputs = { [spec.name]: { shape, datatype: spec.datatype, data: fromBytes(spec.datatype, body) } };
  return { inputs, outputs: specs.outputs.map(({ name }) => ({ name, binary: false })) };
}

function askedOutputs(request: z.infer<typeof inferRequest>, specs: ModelSpecs): InferRequest["outputs"] {
  const there = specs.outputs.map(({ name }) => name);
  const byDefault = request.parameters?.["binary_data_output"] === true;
  const asked = request.outputs?.length ? request.outputs : there.map((name) => ({ name, parameters: undefined }));
  return asked.map((output) => {
    if (!there.includes(output.name))
      throw new AppError("invalid_request", `there is no output "${output.name}"; the model gives ${there.join(", ")}`);
    const own = output.parameters?.["binary_data"];
    return { name: output.name, binary: typeof own === "boolean" ? own : byDefault };
  });
}

/** The raw tensors behind the JSON, taken one after the other. */
class BinaryReader {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  take(size: number, name: string): Uint8Array {
    if (this.#rest.byteLength < size)
      throw new AppError(
        "invalid_request",
        `the body ends within input "${name}": ${size} bytes should follow, ${this.#rest.byteLength} do`,
      );
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return taken;
  }

  end(): void {
    const left = this.#rest.byteLength;
    if (left > 0) throw new AppError("invalid_request", `the body has ${left} bytes more than its tensors`);
  }
}
