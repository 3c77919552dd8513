import { AppError } from "@whittle/contracts";
import type { TensorValue } from "@whittle/onnx/runtime";
import { elementCount } from "./elements.ts";

const DEEPEST = 16;

/**
 * Reads nested JSON arrays in row-major order; a value that is no array is a tensor without sizes.
 * @throws AppError `invalid_request` when rows of one level have different lengths.
 */
export function readNested(value: unknown, path: string): { shape: number[]; values: unknown[] } {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level) && shape.length <= DEEPEST; level = level[0]) shape.push(level.length);
  if (shape.length > DEEPEST) throw new AppError("invalid_request", `${path} is nested deeper than ${DEEPEST} levels`);
  if (!Array.isArray(value)) return { shape, values: [value] };
  // Numbers in a row, as most tensors of the Open Inference Protocol are, need no copy.
  if (shape.length === 1 && !value.some(Array.isArray)) return { shape, values: value };
  const values: unknown[] = [];
  collect(value, shape, 0, values, path);
  return { shape, values };
}

/** Collects the values below an array at `depth`. */
function collect(
  level: readonly unknown[],
  shape: readonly number[],
  depth: number,
  into: unknown[],
  path: string,
): void {
  if (level.length !== shape[depth]) throw ragged(path);
  const isLast = depth === shape.length - 1;
  // By index, and without a call for each value: requests have thousands of values.
  for (let at = 0; at < level.length; at++) {
    const item: unknown = level[at];
    if (Array.isArray(item) === isLast) throw ragged(path);
    if (isLast) into.push(item);
    else if (Array.isArray(item)) collect(item, shape, depth + 1, into, path);
  }
}

function ragged(path: string): AppError {
  const message = "rows of one level must all have the same length";
  return new AppError("invalid_request", `${path}: ${message}`, { issues: [{ path, message }] });
}

/** A tensor as nested JSON arrays. NaN and Infinity stand bare in it, as TensorFlow Serving writes them. */
export function writeNested({ shape, datatype, data }: TensorValue): string {
  const [first, ...rest] = shape;
  if (first === undefined) return writeFlat({ datatype, data });
  if (rest.length === 0) return `[${writeFlat({ datatype, data })}]`;
  const size = elementCount(rest);
  const rows = Array.from({ length: first }, (_, row) =>
    writeNested({ shape: rest, datatype, data: data.subarray(row * size, (row + 1) * size) }),
  );
  return `[${rows.join(",")}]`;
}

/** A tensor's elements, separated by commas. */
export function writeFlat({ datatype, data }: Pick<TensorValue, "datatype" | "data">): string {
  if (datatype === "BOOL") return Array.from(data, Boolean).join(",");
  return data.join(",");
}
