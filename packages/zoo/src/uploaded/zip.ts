import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { wrong } from "./wrong.ts";

/** The parts of a zip archive that are read here (APPNOTE.TXT 4.3), by the signatures that they begin with. */
const signature = { file: 0x04034b50, entry: 0x02014b50, end: 0x06054b50 };
const length = { file: 30, entry: 46, end: 22 };
const longestField = 0xffff;
/** Stands where ZIP64 has a larger number elsewhere. */
const elsewhere = 0xffffffff;

/** A file as the archive's directory describes it. */
interface Entry {
  name: string;
  encrypted: boolean;
  /** 0: stored, 8: deflated. */
  method: number;
  crc: number;
  packed: number;
  size: number;
  /** Where it begins in the archive. */
  at: number;
}

/** An archive that is read part by part. */
export interface Archive {
  /** Bytes. */
  size: number;
  /** The bytes from a place on; fewer where it ends before. */
  read: (from: number, length: number) => Promise<Uint8Array>;
}

export interface UnzipOptions {
  /** The only files that there may be, or that are read. */
  names: readonly string[];
  /** Whether others are left alone instead of refused. */
  skipOthers?: boolean;
  /** How many bytes they may have together. */
  limitBytes: number;
}

/**
 * Unpacks an archive that nobody vouches for. No more is inflated than the directory says, which is never more than the limit, and each
 * file must have its CRC-32.
 * @throws AppError `invalid_request`; `payload_too_large` when the files are larger than the limit.
 */
export async function unzip(given: Uint8Array | Archive, options: UnzipOptions): Promise<Map<string, Uint8Array>> {
  const archive = given instanceof Uint8Array ? inMemory(given) : given;
  const entries = await readDirectory(archive, options);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > options.limitBytes)
    throw wrong("", `has ${total} bytes unpacked; it may have at most ${options.limitBytes}`, "payload_too_large");
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) files.set(entry.name, await unpack(archive, entry));
  return files;
}

function inMemory(bytes: Uint8Array): Archive {
  return { size: bytes.length, read: async (from, size) => bytes.subarray(from, from + size) };
}

async function readDirectory(
  archive: Archive,
  { names, skipOthers = false }: Pick<UnzipOptions, "names" | "skipOthers">,
): Promise<Entry[]> {
  const tail = await archive.read(Math.max(0, archive.size - length.end - longestField), Infinity);
  const end = findEnd(viewOf(tail));
  if (end === undefined) throw wrong("", "is no zip archive, or not whole; it must be what numpy.savez writes");
  const [count, from] = [viewOf(tail).getUint16(end + 10, true), viewOf(tail).getUint32(end + 16, true)];
  if (from === elsewhere) throw wrong("", "is a ZIP64 archive of more than 4 GiB, which is not read");
  // With one more than there may be, one of them is refused.
  const most = (skipOthers ? count : Math.min(count, names.length + 1)) * (length.entry + 3 * longestField);
  const directory = await archive.read(from, Math.min(most, Math.max(0, archive.size - tail.length + end - from)));
  const view = viewOf(directory);
  const entries = new Map<string, Entry>();
  for (let index = 0, at = 0; index < count; index++) {
    if (at + length.entry > directory.length || view.getUint32(at, true) !== signature.entry)
      throw wrong("", "is damaged: its directory does not hold what its end says");
    const { entry, next } = readEntry(directory, view, at);
    at = next;
    if (skipOthers && !names.includes(entry.name)) continue;
    checkEntry(entry, names, entries);
    entries.set(entry.name, entry);
  }
  return [...entries.values()];
}

/** Where the last part begins; behind it is a comment of the length that it says. */
function findEnd(view: DataView): number | undefined {
  const last = view.byteLength - length.end;
  for (let at = last; at >= Math.max(0, last - longestField); at--)
    if (view.getUint32(at, true) === signature.end && view.getUint16(at + 20, true) === last - at) return at;
  return undefined;
}

function readEntry(directory: Uint8Array, view: DataView, at: number): { entry: Entry; next: number } {
  const nameEnd = at + length.entry + view.getUint16(at + 28, true);
  const entry = {
    name: new TextDecoder().decode(directory.subarray(at + length.entry, nameEnd)),
    encrypted: (view.getUint16(at + 8, true) & 1) === 1,
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packed: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    at: view.getUint32(at + 42, true),
  };
  return { entry, next: nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true) };
}

function checkEntry(
  { name, encrypted, method, packed, size }: Entry,
  names: readonly string[],
  before: Map<string, Entry>,
) {
  if (!names.includes(name)) {
    const found = JSON.stringify(name.slice(0, 100));
    throw wrong("", `has an entry ${found}; it may only have ${names.join(", ")}`);
  }
  if (before.has(name)) throw wrong("", `has the entry ${name} twice`);
  if (encrypted) throw wrong("", `has ${name} encrypted; it must not be`);
  if (method !== 0 && method !== 8)
    throw wrong("", `has ${name} compressed by method ${method}; it must be stored (0) or deflated (8)`);
  if (packed === elsewhere || size === elsewhere) throw wrong("", `has ${name} of 4 GiB or more, which is not read`);
}

async function unpack(archive: Archive, { name, method, crc, packed, size, at }: Entry): Promise<Uint8Array> {
  const head = await archive.read(at, length.file);
  if (head.length < length.file || viewOf(head).getUint32(0, true) !== signature.file)
    throw wrong("", `is damaged: ${name} is not where its directory says`);
  const from = at + length.file + viewOf(head).getUint16(26, true) + viewOf(head).getUint16(28, true);
  const raw = await archive.read(from, packed);
  const bytes = method === 0 ? raw : await inflate(raw, size);
  if (bytes?.length !== size || crc32(bytes) !== crc)
    throw wrong("", `is damaged: ${name} is not the ${size} bytes with the CRC-32 that its directory says`);
  return bytes;
}

/** @returns undefined when it can't be inflated, or gives more than `size` bytes. */
async function inflate(raw: Uint8Array, size: number): Promise<Uint8Array | undefined> {
  try {
    const { buffer, byteOffset, byteLength } = await promisify(inflateRaw)(raw, { maxOutputLength: Math.max(1, size) });
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    return undefined;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
