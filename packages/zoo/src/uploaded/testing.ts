import { crc32, deflateRawSync } from "node:zlib";

/** An entry of an archive as a test writes it; what is given of `lies` stands in the directory in the place of the truth. */
export interface ZipEntry {
  name: string;
  bytes: Uint8Array;
  deflated?: boolean;
  lies?: { size?: number; packed?: number; crc?: number; method?: number; flags?: number; at?: number };
}

/** A zip archive, true or not. */
export function zipOf(entries: ZipEntry[], { comment = "" } = {}): Uint8Array {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, bytes, deflated = false, lies = {} } of entries) {
    const data = deflated ? deflateRawSync(bytes) : bytes;
    const field = {
      method: deflated ? 8 : 0,
      flags: 0,
      crc: crc32(bytes),
      packed: data.length,
      size: bytes.length,
      at,
      ...lies,
    };
    const file = Buffer.alloc(30);
    file.writeUInt32LE(0x04034b50, 0);
    file.writeUInt16LE(name.length, 26);
    files.push(file, Buffer.from(name, "latin1"), Buffer.from(data));
    at += 30 + name.length + data.length;
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(field.flags, 8);
    entry.writeUInt16LE(field.method, 10);
    entry.writeUInt32LE(field.crc, 16);
    entry.writeUInt32LE(field.packed, 20);
    entry.writeUInt32LE(field.size, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(field.at, 42);
    directory.push(entry, Buffer.from(name, "latin1"));
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return new Uint8Array(Buffer.concat([...files, ...directory, end, Buffer.from(comment, "latin1")]));
}

type Values = Uint8Array | Int32Array | Float32Array | string[];

/** A `.npy` file of version 1.0 in C order; `descr` and `header` stand in the place of the right ones. */
export function npyOf(
  values: Values,
  shape: number[],
  given: { descr?: string; header?: string; major?: number } = {},
): Uint8Array {
  const { descr = typeOf(values), major = 1 } = given;
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const header = given.header ?? `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Buffer.alloc(major === 2 ? 4 : 2);
  if (major === 2) length.writeUInt32LE(header.length);
  else length.writeUInt16LE(header.length);
  const begin = Buffer.from("\u0093NUMPY", "latin1");
  return new Uint8Array(
    Buffer.concat([begin, Buffer.from([major, 0]), length, Buffer.from(header, "latin1"), bytesOf(values)]),
  );
}

function typeOf(values: Values): string {
  if (values instanceof Uint8Array) return "|u1";
  if (values instanceof Int32Array) return "<i4";
  if (values instanceof Float32Array) return "<f4";
  return `<U${widest(values)}`;
}

function bytesOf(values: Values): Buffer {
  if (!Array.isArray(values)) return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const width = widest(values);
  const points = values.flatMap((text) => {
    const own = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    return [...own, ...Array.from({ length: width - own.length }, () => 0)];
  });
  return Buffer.from(Uint32Array.from(points).buffer);
}

function widest(texts: string[]): number {
  return Math.max(...texts.map((text) => Array.from(text).length));
}

/** The arrays of an upload with their shapes; `npz` writes them as numpy.savez_compressed does. */
export type Arrays = Record<string, { values: Values; shape: number[] }>;

export function npzOf(arrays: Arrays): Uint8Array {
  return zipOf(
    Object.entries(arrays).map(([name, { values, shape }]) => ({
      name: `${name}.npy`,
      bytes: npyOf(values, shape),
      deflated: true,
    })),
  );
}

/** Bytes [4, 2, 2] and [2, 2, 2] in the classes 0 and 1. */
export const smallArrays: Arrays = {
  x_train: { values: Uint8Array.from({ length: 16 }, (_, at) => at * 16), shape: [4, 2, 2] },
  y_train: { values: Uint8Array.of(0, 1, 0, 1), shape: [4] },
  x_test: { values: Uint8Array.from({ length: 8 }, (_, at) => 255 - at), shape: [2, 2, 2] },
  y_test: { values: Uint8Array.of(1, 0), shape: [2] },
};
