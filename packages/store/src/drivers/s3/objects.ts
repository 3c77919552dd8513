import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from "@aws-sdk/client-s3";
import { sizeOf, sliceOf, type Content } from "../../content-file.ts";
import type { Entry } from "../../driver.ts";
import { BrokenBody, isTransient } from "./errors.ts";
import { retry } from "./retry.ts";

interface Write {
  /** The mark that the content is written with. */
  writer: string;
  replacing: boolean;
}

/** Requests to one bucket: each is tried up to `attempts` times, and what the SDK throws is thrown. */
export class S3Objects {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #attempts: number;

  constructor(client: S3Client, bucket: string, attempts: number) {
    this.#client = client;
    this.#bucket = bucket;
    this.#attempts = attempts;
  }

  /** The whole content. The SDK compares it with the checksum that the server keeps; content in parts has none for the whole. */
  get(Key: string): Promise<Uint8Array> {
    return this.#retrying(async () => {
      const command = new GetObjectCommand({ Bucket: this.#bucket, Key, ChecksumMode: "ENABLED" });
      const { Body, ContentLength } = await this.#client.send(command);
      const bytes = new Uint8Array((await Body?.transformToByteArray()) ?? []);
      if (bytes.byteLength !== ContentLength)
        throw new BrokenBody(`the content ended after ${bytes.byteLength} of ${ContentLength} bytes`);
      return bytes;
    });
  }

  /** `writer` is the mark that the content was written with. */
  async head(Key: string): Promise<{ size: number; writer?: string }> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key });
    const { ContentLength, Metadata } = await this.#retrying(() => this.#client.send(command));
    return { size: ContentLength ?? 0, writer: Metadata?.["writer"] };
  }

  /** Creates a key that must not exist, or with `replacing` writes one that may. */
  async put(Key: string, bytes: Uint8Array, { writer, replacing }: Write): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key,
      Body: bytes,
      ChecksumSHA256: sha256(bytes),
      ...(!replacing && { IfNoneMatch: "*" }),
      Metadata: { writer },
    });
    await this.#retrying(() => this.#client.send(command));
  }

  /** As {@link put}, from parts of `partBytes`. What was sent is withdrawn when that fails. */
  async putParts(Key: string, content: Content, partBytes: number, { writer, replacing }: Write): Promise<void> {
    const target = { Bucket: this.#bucket, Key };
    const begin = new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: "SHA256", Metadata: { writer } });
    const { UploadId } = await this.#retrying(() => this.#client.send(begin));
    const upload = { ...target, UploadId };
    try {
      const Parts: CompletedPart[] = [];
      for (let offset = 0; offset < sizeOf(content); offset += partBytes)
        Parts.push(await this.#putPart(upload, Parts.length + 1, await sliceOf(content, offset, partBytes)));
      const complete = new CompleteMultipartUploadCommand({
        ...upload,
        MultipartUpload: { Parts },
        ...(!replacing && { IfNoneMatch: "*" }),
      });
      await this.#retrying(() => this.#client.send(complete));
    } catch (error) {
      // Best effort: what stays behind is seen by nobody, and the bucket's lifecycle rule removes it.
      await this.#client.send(new AbortMultipartUploadCommand(upload)).catch(() => {});
      throw error;
    }
  }

  async #putPart(
    upload: { Bucket: string; Key: string; UploadId: string | undefined },
    PartNumber: number,
    part: Uint8Array,
  ): Promise<CompletedPart> {
    const ChecksumSHA256 = sha256(part);
    const command = new UploadPartCommand({ ...upload, PartNumber, Body: part, ChecksumSHA256 });
    const { ETag } = await this.#retrying(() => this.#client.send(command));
    return { ETag, PartNumber, ChecksumSHA256 };
  }

  async list(Prefix: string): Promise<Entry[]> {
    const found: Entry[] = [];
    let ContinuationToken: string | undefined;
    do {
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix, ContinuationToken });
      const page = await this.#retrying(() => this.#client.send(command));
      for (const { Key = "", Size = 0, LastModified } of page.Contents ?? [])
        found.push({ key: Key, size: Size, modified: LastModified?.getTime() ?? 0 });
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return found;
  }

  async delete(Key: string): Promise<void> {
    await this.#retrying(() => this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key })));
  }

  #retrying<T>(work: () => Promise<T>): Promise<T> {
    return retry(this.#attempts, isTransient, work);
  }
}

/** As S3's headers have it. */
function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64");
}
