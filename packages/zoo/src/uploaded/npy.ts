import { wrong } from "./wrong.ts";

/** An array of a `.npy` file, its values as they lie there. */
export interface NpyArray {
  /** What errors call it. */
  name: string;
  shape: number[];
  /** NumPy's type: a kind and the bytes of a value, such as `u1`, `f4`, `U12`; little endian. */
  dtype: string;
  bytes: Uint8Array;
}

const magic = "\u0093NUMPY";
const dimensions = /^(?:\d+L?(?:, *\d+L?)*,?)?$/;

/**
 * Reads NumPy's format (numpy.lib.format), version 1.0 or 2.0: a header in Python's syntax, and the values in C order.
 * @throws AppError `invalid_request` when it is anything else, or its size is not what its shape says.
 */
export function parseNpy(file: Uint8Array, name: string): NpyArray {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const major = file[6];
  const wide = major === 2;
  if (file.length < 12 || latin(file.subarray(0, 6)) !== magic || (major !== 1 && !wide))
    throw wrong(name, "is not in NumPy's format .npy, version 1.0 or 2.0");
  const start = wide ? 12 : 10;
  const end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = latin(file.subarray(start, Math.min(end, start + 0xffff)));
  const dtype = littleEndian(name, header);
  const shape = shapeOf(name, header);
  const bytes = file.subarray(end);
  const expected = shape.reduce((product, size) => product * size, sizeOf(dtype));
  if (end > file.length || bytes.length !== expected)
    throw wrong(name, `has ${bytes.length} bytes of values; its shape and type need ${expected}`);
  return { name, shape, dtype, bytes };
}

/** The type of the values, without its byte order. */
function littleEndian(name: string, header: string): string {
  const descr = /['"]descr['"]: *['"]([^'"]*)['"]/.exec(header)?.[1];
  const [, order, dtype] = /^([<>|=])([a-zA-Z]\d+)$/.exec(descr ?? "") ?? [];
  if (descr === "|O") throw wrong(name, "holds Python objects, which are not read; it must hold numbers or texts");
  if (dtype === undefined)
    throw wrong(name, `has values of type ${descr ?? "several fields"}; it must hold plain numbers or texts`);
  if (order === ">" && sizeOf(dtype) > 1)
    throw wrong(name, "is big endian; it must be little endian: astype(a.dtype.newbyteorder('<'))");
  return dtype;
}

function shapeOf(name: string, header: string): number[] {
  if (!/['"]fortran_order['"]: *False/.test(header))
    throw wrong(name, "is in Fortran order; it must be in C order: numpy.ascontiguousarray(a)");
  const text = /['"]shape['"]: *\(([^)]*)\)/.exec(header)?.[1]?.trim();
  if (text === undefined || !dimensions.test(text)) throw wrong(name, "has a header without a shape");
  return text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => Number.parseInt(part, 10));
}

/** Bytes of one value; NumPy counts the characters of a text, each of which has four. */
function sizeOf(dtype: string): number {
  return Number(dtype.slice(1)) * (dtype.startsWith("U") ? 4 : 1);
}

const kinds: Record<string, string> = { u: "uint", i: "int", f: "float" };

/** A type as NumPy's users call it: `float32`. */
export function typeName(dtype: string): string {
  const kind = kinds[dtype[0] ?? ""];
  return kind === undefined ? dtype : `${kind}${8 * sizeOf(dtype)}`;
}

/**
 * The values as what models take: bytes as they are, floats as float32.
 * @throws AppError `invalid_request` for another type, and for a value that is not finite.
 */
export function readNumbers({ name, dtype, bytes, shape }: NpyArray): Uint8Array | Float32Array {
  if (dtype === "u1") return bytes;
  if (dtype !== "f4" && dtype !== "f8") {
    const use = "it must be uint8 or float32 (or integers with a vocabulary)";
    throw wrong(name, `has values of type ${typeName(dtype)}; ${use}`);
  }
  const values = dtype === "f4" ? aligned(Float32Array, bytes) : new Float32Array(aligned(Float64Array, bytes));
  const at = firstInfinite(values);
  if (at === undefined) return values;
  const sample = Math.floor(at / (values.length / (shape[0] ?? 1)));
  throw wrong(name, `has NaN or an infinite value (as float32) in sample ${sample}; all must be finite`);
}

/** A loop, because a callback takes several times as long, and there may be a hundred million values. */
function firstInfinite(values: Float32Array): number | undefined {
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return at;
  return undefined;
}

const integers = {
  u1: Uint8Array,
  i1: Int8Array,
  u2: Uint16Array,
  i2: Int16Array,
  u4: Uint32Array,
  i4: Int32Array,
  u8: BigUint64Array,
  i8: BigInt64Array,
};

/**
 * The values as whole numbers from 0 to below a limit.
 * @param are what they are, and from where to where they may go.
 * @throws AppError `invalid_request` for another type, and for a value out of range.
 */
export function readIntegers({ name, dtype, bytes }: NpyArray, below: number, are: string): Int32Array {
  if (!isInteger(dtype))
    throw wrong(name, `has values of type ${typeName(dtype)}; it must hold ${are}, of any integer type`);
  const raw = aligned<Integers>(integers[dtype], bytes);
  const values = new Int32Array(raw.length);
  for (let at = 0; at < raw.length; at++) {
    const value = Number(raw[at]);
    if (value < 0 || value >= below) throw wrong(name, `has ${raw[at]} at place ${at}; it must hold ${are}`);
    values[at] = value;
  }
  return values;
}

type Integers = ArrayLike<number | bigint>;

function isInteger(dtype: string): dtype is keyof typeof integers {
  return Object.hasOwn(integers, dtype);
}

const longestText = 200;

/**
 * The texts of an array of one dimension, none of them empty and none there twice.
 * @throws AppError `invalid_request` for another type or shape, and for more than `most` texts.
 */
export function readTexts({ name, dtype, bytes, shape }: NpyArray, most: number): string[] {
  const width = Number(dtype.slice(1));
  const [count = 0, ...rest] = shape;
  if (!dtype.startsWith("U") || rest.length > 0 || shape.length === 0)
    throw wrong(
      name,
      `is of type ${typeName(dtype)} and shape [${shape.join(", ")}]; it must be texts [n]: numpy.array(["a", "b"])`,
    );
  if (count > most || width > longestText)
    throw wrong(name, `has ${count} texts of up to ${width} characters; it may have ${most} of up to ${longestText}`);
  const points = aligned(Uint32Array, bytes);
  const texts = Array.from({ length: count }, (_, at) => textOf(name, points.subarray(at * width, (at + 1) * width)));
  if (new Set(texts).size < count || texts.includes(""))
    throw wrong(name, "has a text that is empty or there twice; each must stand for something of its own");
  return texts;
}

/** NumPy fills a text up with zeros. */
function textOf(name: string, points: Uint32Array): string {
  const end = points.findLastIndex((point) => point !== 0) + 1;
  const bad = points
    .subarray(0, end)
    .find((point) => point === 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000));
  if (bad !== undefined) throw wrong(name, `has a text with the code point ${bad}; it must be Unicode`);
  return String.fromCodePoint(...points.subarray(0, end));
}

interface ArrayType<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/** The values where they lie, or copied to where an array of the type can begin. */
function aligned<T>(type: ArrayType<T>, bytes: Uint8Array): T {
  const size = type.BYTES_PER_ELEMENT;
  const { buffer, byteOffset, length } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new type(buffer, byteOffset, length / size);
}

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
