import { AppError } from "@whittle/contracts";
import type { TensorValue } from "@whittle/onnx/runtime";
import type { Servable } from "../../engine/servable.ts";
import type { Tensors } from "../../engine/messages.ts";
import { writeFlat } from "../../tensors/nested.ts";
import type { InferRequest } from "./request.ts";

export interface InferResponse {
  headers: Record<string, string>;
  body: Buffer;
}

/**
 * Writes the answer to an `infer` call, with the outputs that were asked for, in JSON or behind it as raw bytes.
 * @throws AppError `invalid_request` when an output for JSON has NaN or Infinity.
 */
export function writeInferResponse(
  { name, version }: Servable,
  { id, outputs: asked }: InferRequest,
  results: Tensors,
): InferResponse {
  const raw: Uint8Array[] = [];
  const outputs = asked.flatMap((output) => {
    const tensor = results[output.name];
    if (tensor === undefined) return [];
    if (output.binary) raw.push(bytesOf(tensor));
    return [writeOutput(output.name, tensor, output.binary)];
  });
  const head = JSON.stringify({ model_name: name, model_version: String(version), ...(id !== undefined && { id }) });
  const json = Buffer.from(`${head.slice(0, -1)},"outputs":[${outputs.join(",")}]}`);
  if (raw.length === 0) return { headers: { "Content-Type": "application/json" }, body: json };
  const headers = {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": String(json.byteLength),
  };
  return { headers, body: Buffer.concat([json, ...raw]) };
}

function writeOutput(name: string, tensor: TensorValue, binary: boolean): string {
  const { shape, datatype, data } = tensor;
  if (binary) return JSON.stringify({ name, shape, datatype, parameters: { binary_data_size: data.byteLength } });
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  if (isFloat && !data.every(Number.isFinite))
    throw new AppError(
      "invalid_request",
      `output "${name}" has NaN or Infinity, which JSON can't hold: ask for it with "parameters": {"binary_data": true}`,
    );
  return `${JSON.stringify({ name, shape, datatype }).slice(0, -1)},"data":[${writeFlat(tensor)}]}`;
}

function bytesOf({ data }: TensorValue): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
