import { AppError } from "@whittle/contracts";
import type { TensorValue } from "@whittle/onnx/runtime";
import type { TensorData, Tensors } from "./messages.ts";

/** Number of samples: the first size of every input. Inputs without sizes are one sample. */
export function rowsOf(tensors: Tensors): number {
  return Object.values(tensors)[0]?.shape[0] ?? 1;
}

/** Requests with the same key differ only in their number of samples, so they can be run as one. */
export function batchKey(tensors: Tensors): string {
  const names = Object.keys(tensors).toSorted();
  return names.map((name) => `${name}:${tensors[name]?.shape.slice(1).join("x")}`).join();
}

/** Puts requests with the same {@link batchKey} one after the other along axis 0. */
export function concatenate(requests: readonly Tensors[]): Tensors {
  const [first] = requests;
  if (first === undefined || requests.length === 1) return first ?? {};
  return Object.fromEntries(
    Object.entries(first).map(([name, { datatype, shape }]) => {
      const parts = requests.flatMap((request) => request[name] ?? []);
      const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0);
      return [name, { datatype, shape: [rows, ...shape.slice(1)], data: join(parts.map(({ data }) => data)) }];
    }),
  );
}

/**
 * Cuts the results of a batch into those of its requests.
 * @throws AppError `unsupported` when an output has not one row for each sample.
 */
export function split(results: Tensors, rows: readonly number[]): Tensors[] {
  const total = rows.reduce((sum, count) => sum + count, 0);
  let from = 0;
  return rows.map((count) => {
    const start = from;
    from += count;
    return Object.fromEntries(
      Object.entries(results).map(([name, result]) => [name, slice(name, result, start, count, total)]),
    );
  });
}

function slice(name: string, { datatype, shape, data }: TensorValue, start: number, count: number, total: number) {
  if (shape[0] !== total)
    throw new AppError("unsupported", `output ${name} has ${shape[0] ?? 1} rows for ${total} samples`);
  const size = data.length / total;
  return { datatype, shape: [count, ...shape.slice(1)], data: data.subarray(start * size, (start + count) * size) };
}

/** Arrays of one type, one after the other. */
function join(parts: readonly TensorData[]): TensorData {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  const [first] = parts;
  return viewAs(first, bytes);
}

function viewAs(like: TensorData | undefined, { buffer }: Uint8Array<ArrayBuffer>): TensorData {
  if (like instanceof Float32Array) return new Float32Array(buffer);
  if (like instanceof Float64Array) return new Float64Array(buffer);
  if (like instanceof Int32Array) return new Int32Array(buffer);
  if (like instanceof Int8Array) return new Int8Array(buffer);
  if (like instanceof BigInt64Array) return new BigInt64Array(buffer);
  return new Uint8Array(buffer);
}
