import { open, readFile } from "node:fs/promises";

/** Content that lies in a file outside the store, so that it need not be in memory. */
export interface ContentFile {
  path: string;
  /** Bytes. */
  size: number;
}

/** What is written: in memory, or in a file. */
export type Content = Uint8Array | ContentFile;

export function sizeOf(content: Content): number {
  return content instanceof Uint8Array ? content.byteLength : content.size;
}

/** The whole of it, in memory. */
export async function bytesOf(content: Content): Promise<Uint8Array> {
  return content instanceof Uint8Array ? content : new Uint8Array(await readFile(content.path));
}

/** A part of it, in memory; fewer bytes where it ends before. */
export async function sliceOf(content: Content, from: number, length: number): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content.subarray(from, from + length);
  const file = await open(content.path);
  try {
    const part = new Uint8Array(Math.max(0, Math.min(length, content.size - from)));
    let filled = 0;
    for (let read = -1; read !== 0 && filled < part.length; filled += read)
      ({ bytesRead: read } = await file.read(part, filled, part.length - filled, from + filled));
    return part.subarray(0, filled);
  } finally {
    await file.close();
  }
}
