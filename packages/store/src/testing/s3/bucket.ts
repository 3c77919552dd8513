import { createHash, randomUUID } from "node:crypto";
import { S3Failure } from "./failure.ts";

export interface S3Object {
  bytes: Buffer;
  etag: string;
  /** SHA-256 in base64; of content in parts, that of the parts' digests with their count. */
  checksum: string;
  metadata: Record<string, string>;
  modified: Date;
}

interface Upload {
  key: string;
  metadata: Record<string, string>;
  parts: Map<number, Buffer>;
}

/** Smallest part but the last, as S3 has it. */
const leastPart = 5 * 2 ** 20;

/** One bucket in memory, with S3's rules for conditions, checksums and parts. */
export class S3Bucket {
  readonly objects = new Map<string, S3Object>();
  readonly uploads = new Map<string, Upload>();

  get(key: string): S3Object {
    const object = this.objects.get(key);
    if (object === undefined) throw new S3Failure(404, "NoSuchKey");
    return object;
  }

  /** @param checksum as the request claims it. @param fresh `If-None-Match: *`. */
  put(key: string, bytes: Buffer, checksum: string | undefined, fresh: boolean, metadata: S3Object["metadata"]): void {
    const actual = sha256(bytes).toString("base64");
    if (checksum !== undefined && checksum !== actual) throw new S3Failure(400, "BadDigest");
    if (fresh && this.objects.has(key)) throw new S3Failure(412, "PreconditionFailed");
    this.objects.set(key, {
      bytes,
      etag: md5(bytes).toString("hex"),
      checksum: actual,
      metadata,
      modified: new Date(),
    });
  }

  begin(key: string, metadata: S3Object["metadata"]): string {
    const id = randomUUID();
    this.uploads.set(id, { key, metadata, parts: new Map() });
    return id;
  }

  /** @returns the part's ETag. */
  putPart(id: string, number: number, bytes: Buffer, checksum: string | undefined): string {
    if (checksum !== undefined && checksum !== sha256(bytes).toString("base64")) throw new S3Failure(400, "BadDigest");
    this.#upload(id).parts.set(number, bytes);
    return md5(bytes).toString("hex");
  }

  /** @param named the parts' ETags, in the order of the request. */
  complete(id: string, named: { number: number; etag: string }[], fresh: boolean): void {
    const { key, metadata, parts } = this.#upload(id);
    const content = named.map(({ number, etag }, index) => {
      const part = parts.get(number);
      if (part === undefined || md5(part).toString("hex") !== etag) throw new S3Failure(400, "InvalidPart");
      if (number <= (named[index - 1]?.number ?? 0)) throw new S3Failure(400, "InvalidPartOrder");
      if (index < named.length - 1 && part.byteLength < leastPart) throw new S3Failure(400, "EntityTooSmall");
      return part;
    });
    if (content.length === 0) throw new S3Failure(400, "MalformedXML");
    if (fresh && this.objects.has(key)) throw new S3Failure(412, "PreconditionFailed");
    const suffix = `-${content.length}`;
    const etag = md5(Buffer.concat(content.map(md5))).toString("hex") + suffix;
    const checksum = sha256(Buffer.concat(content.map(sha256))).toString("base64") + suffix;
    this.objects.set(key, { bytes: Buffer.concat(content), etag, checksum, metadata, modified: new Date() });
    this.uploads.delete(id);
  }

  abort(id: string): void {
    this.#upload(id);
    this.uploads.delete(id);
  }

  /** A page of keys after `after`, in the order of their bytes. */
  list(prefix: string, after: string, count: number): { page: [string, S3Object][]; next?: string } {
    const found = [...this.objects].filter(([key]) => key.startsWith(prefix) && key > after);
    const sorted = found.toSorted(([a], [b]) => (a < b ? -1 : 1));
    const page = sorted.slice(0, count);
    return sorted.length > count ? { page, next: page.at(-1)?.[0] } : { page };
  }

  #upload(id: string): Upload {
    const upload = this.uploads.get(id);
    if (upload === undefined) throw new S3Failure(404, "NoSuchUpload");
    return upload;
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function md5(bytes: Uint8Array): Buffer {
  return createHash("md5").update(bytes).digest();
}
