import { AppError, type Datatype } from "@whittle/contracts";
import type { TensorData } from "../engine/messages.ts";

interface ElementType {
  bytes: number;
  make: (length: number) => TensorData;
  /** A view of bytes that begin at a multiple of the element's size. */
  view: (bytes: ArrayBuffer) => TensorData;
  accepts: (value: unknown) => boolean;
  /** What JSON must hold, for messages. */
  expected: string;
}

const LARGEST_FP32 = 3.4028234663852886e38;

function integer(min: number, max: number): Pick<ElementType, "accepts" | "expected"> {
  return {
    accepts: (value) => typeof value === "number" && Number.isInteger(value) && value >= min && value <= max,
    expected: `an integer from ${min} to ${max}`,
  };
}

/** The datatypes of the Open Inference Protocol that models have here. */
export const elementTypes: Record<Datatype, ElementType> = {
  BOOL: {
    bytes: 1,
    make: (length) => new Uint8Array(length),
    view: (bytes) => new Uint8Array(bytes),
    accepts: (value) => value === true || value === false || value === 0 || value === 1,
    expected: "true or false",
  },
  UINT8: {
    bytes: 1,
    make: (length) => new Uint8Array(length),
    view: (bytes) => new Uint8Array(bytes),
    ...integer(0, 255),
  },
  INT8: {
    bytes: 1,
    make: (length) => new Int8Array(length),
    view: (bytes) => new Int8Array(bytes),
    ...integer(-128, 127),
  },
  INT32: {
    bytes: 4,
    make: (length) => new Int32Array(length),
    view: (bytes) => new Int32Array(bytes),
    ...integer(-(2 ** 31), 2 ** 31 - 1),
  },
  INT64: {
    bytes: 8,
    make: (length) => new BigInt64Array(length),
    view: (bytes) => new BigInt64Array(bytes),
    // JSON numbers beyond these have lost digits by the time they are read.
    ...integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  },
  FP32: {
    bytes: 4,
    make: (length) => new Float32Array(length),
    view: (bytes) => new Float32Array(bytes),
    accepts: (value) => typeof value === "number" && !(Number.isFinite(value) && Math.abs(value) > LARGEST_FP32),
    expected: "a number that FP32 can hold",
  },
  FP64: {
    bytes: 8,
    make: (length) => new Float64Array(length),
    view: (bytes) => new Float64Array(bytes),
    accepts: (value) => typeof value === "number",
    expected: "a number that FP64 can hold",
  },
};

/**
 * Makes a tensor's data of JSON values.
 * @param nonFinite whether NaN and infinities may be among them. In standard JSON an infinity can only be a number that was too large
 *   for a double (1e400).
 * @throws AppError `invalid_request` naming the first value that the datatype can't hold.
 */
export function fromJsonValues(
  datatype: Datatype,
  values: readonly unknown[],
  path: string,
  { nonFinite = false }: { nonFinite?: boolean } = {},
): TensorData {
  const { make, accepts, expected } = elementTypes[datatype];
  const data = make(values.length);
  for (let at = 0; at < data.length; at++) {
    const value = values[at];
    if (!accepts(value) || !(nonFinite || typeof value !== "number" || Number.isFinite(value))) {
      const shown = typeof value === "number" ? String(value) : JSON.stringify(value)?.slice(0, 40);
      const message = `value ${at} is ${shown}, must be ${expected}`;
      throw new AppError("invalid_request", `${path}: ${message}`, { issues: [{ path, message }] });
    }
    if (data instanceof BigInt64Array) data[at] = BigInt(Number(value));
    else data[at] = Number(value);
  }
  return data;
}

/** Copies little-endian bytes into a tensor's data. They may begin anywhere in their memory. */
export function fromBytes(datatype: Datatype, bytes: Uint8Array): TensorData {
  const copy = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(copy).set(bytes);
  return elementTypes[datatype].view(copy);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
