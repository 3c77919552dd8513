import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { brotliCompress, brotliDecompress, constants, createBrotliCompress } from "node:zlib";
import { sizeOf, sliceOf, type Content, type ContentFile } from "./content-file.ts";

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** Begins what is stored compressed; content that begins so by itself is always compressed. */
const magic = Buffer.from("\x93WHITLBR", "latin1");
const leastBytes = 1024;
const leastSaving = 0.1;

/** Does `work` with content as it is stored: see {@link encode}. What is in a file is compressed into another beside it, which goes then. */
export async function withEncoded<T>(content: Content, work: (encoded: Content) => Promise<T>): Promise<T> {
  if (content instanceof Uint8Array) return work(await encode(content));
  const compressed = `${content.path}.compressed`;
  try {
    return await work(await encodeFile(content, compressed));
  } finally {
    await rm(compressed, { force: true });
  }
}

async function encodeFile(content: ContentFile, into: string): Promise<ContentFile> {
  const ambiguous = isCompressed(await sliceOf(content, 0, magic.byteLength));
  if (content.size < leastBytes && !ambiguous) return content;
  const brotli = createBrotliCompress({ params: paramsFor(content) });
  const marked = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    yield magic;
    yield* chunks;
  };
  await pipeline(createReadStream(content.path), brotli, marked, createWriteStream(into));
  const { size } = await stat(into);
  return ambiguous || isWorthIt(size, content) ? { path: into, size } : content;
}

function paramsFor(content: Content): Record<number, number> {
  return { [constants.BROTLI_PARAM_QUALITY]: 6, [constants.BROTLI_PARAM_SIZE_HINT]: sizeOf(content) };
}

const isWorthIt = (compressed: number, content: Content) => compressed <= sizeOf(content) * (1 - leastSaving);

/**
 * Content as it is stored: compressed where that saves a tenth or more, as with pruned and clustered weights and with JSON; else as it
 * is, as with dense weights. Brotli at quality 6 makes both smaller than gzip at its default in the same time, and every Node reads it.
 */
async function encode(bytes: Uint8Array): Promise<Uint8Array> {
  const ambiguous = isCompressed(bytes);
  if (bytes.byteLength < leastBytes && !ambiguous) return bytes;
  const compressed = Buffer.concat([magic, await compress(bytes, { params: paramsFor(bytes) })]);
  return ambiguous || isWorthIt(compressed.byteLength, bytes) ? compressed : bytes;
}

/** The content of what {@link encode} made. @returns undefined when it is damaged so that it can't be decompressed. */
export async function decode(stored: Uint8Array): Promise<Uint8Array | undefined> {
  if (!isCompressed(stored)) return stored;
  try {
    return new Uint8Array(await decompress(stored.subarray(magic.byteLength)));
  } catch {
    return undefined;
  }
}

function isCompressed(bytes: Uint8Array): boolean {
  return magic.equals(bytes.subarray(0, magic.byteLength));
}
