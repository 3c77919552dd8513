import { randomUUID } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";
import { bytesOf, sizeOf, type Content } from "../../content-file.ts";
import { checkKey, type Entry, type StoreDriver } from "../../driver.ts";
import { parseS3Address } from "./address.ts";
import { asAppError, isAbsent, isContended, isTaken } from "./errors.ts";
import { S3Objects } from "./objects.ts";
import { retry } from "./retry.ts";

interface S3Limits {
  /** How often a request is tried. */
  attempts: number;
  /** Content above this many bytes is sent in parts. */
  wholeBytes: number;
  /** Bytes of a part. S3 wants at least 5 MiB of every part but the last, and at most 10,000 parts. */
  partBytes: number;
}

const defaultLimits: S3Limits = { attempts: 7, wholeBytes: 16 * 2 ** 20, partBytes: 16 * 2 ** 20 };

/**
 * The store in a bucket of S3, or of a server that speaks its protocol. A key is created with `If-None-Match: *`, so that of two
 * writers one is refused; content in parts is refused likewise when it is completed. Every body carries its SHA-256 both ways. A
 * writer that is refused because its own first answer was lost finds its mark in the object's metadata.
 */
export class S3Driver implements StoreDriver {
  readonly location: string;
  readonly #objects: S3Objects;
  readonly #root: string;
  readonly #limits: S3Limits;

  /** @throws AppError `invalid_request` when `url` isn't `s3://bucket/prefix?endpoint=…&region=…`. */
  constructor(url: string, limits: Partial<S3Limits> = {}) {
    const { bucket, prefix, endpoint, region } = parseS3Address(url);
    this.location = `s3://${bucket}/${prefix}`;
    this.#root = prefix;
    this.#limits = { ...defaultLimits, ...limits };
    const client = new S3Client({
      ...(region !== undefined && { region }),
      // Servers other than Amazon's seldom have a host name for each bucket.
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true, region: region ?? "us-east-1" }),
      maxAttempts: 1,
      requestHandler: { connectionTimeout: 5_000, socketTimeout: 15_000 },
    });
    this.#objects = new S3Objects(client, bucket, this.#limits.attempts);
  }

  read(key: string): Promise<Uint8Array | undefined> {
    return this.#on(key, "reading", (target) => absentAsUndefined(this.#objects.get(target)));
  }

  create(key: string, content: Content): Promise<boolean> {
    return this.#on(key, "writing", async (target) => {
      const { wholeBytes, partBytes } = this.#limits;
      const severalParts = sizeOf(content) > Math.max(wholeBytes, partBytes);
      if (severalParts && (await absentAsUndefined(this.#objects.head(target)))) return false;
      const writer = randomUUID();
      try {
        await this.#send(target, content, { writer, replacing: false });
        return true;
      } catch (error) {
        return await this.#settle(target, writer, error);
      }
    });
  }

  async replace(key: string, content: Content): Promise<void> {
    await this.#on(key, "replacing", async (target) => {
      const writer = randomUUID();
      try {
        await this.#send(target, content, { writer, replacing: true });
      } catch (error) {
        await this.#settle(target, writer, error);
      }
    });
  }

  stat(key: string): Promise<{ size: number } | undefined> {
    return this.#on(key, "looking for", async (target) => {
      const found = await absentAsUndefined(this.#objects.head(target));
      return found && { size: found.size };
    });
  }

  async list(prefix: string): Promise<string[]> {
    return (await this.entries(prefix)).map(({ key }) => key);
  }

  async entries(prefix: string): Promise<Entry[]> {
    if (prefix !== "") checkKey(prefix.slice(0, -1));
    const found = await this.#objects.list(this.#root + prefix).catch((error: unknown) => {
      throw asAppError(error, `listing ${this.location}${prefix}`);
    });
    return found.map((entry) => ({ ...entry, key: entry.key.slice(this.#root.length) }));
  }

  async remove(key: string): Promise<void> {
    await this.#on(key, "removing", (target) => absentAsUndefined(this.#objects.delete(target)));
  }

  async #on<T>(key: string, doing: string, work: (target: string) => Promise<T>): Promise<T> {
    checkKey(key);
    try {
      return await work(this.#root + key);
    } catch (error) {
      throw asAppError(error, `${doing} ${this.location}${key}`);
    }
  }

  #send(target: string, content: Content, write: { writer: string; replacing: boolean }): Promise<void> {
    const { attempts, wholeBytes, partBytes } = this.#limits;
    // A conflict says that another write was going on. AWS asks to send all again, also what is in parts.
    return retry(attempts, isContended, async () =>
      sizeOf(content) > wholeBytes
        ? this.#objects.putParts(target, content, partBytes, write)
        : this.#objects.put(target, await bytesOf(content), write),
    );
  }

  /** Says who has created a key, after a writer was refused (the key is taken, or its upload was completed before). */
  async #settle(target: string, writer: string, error: unknown): Promise<boolean> {
    if (!isTaken(error) && !isAbsent(error)) throw error;
    const found = await absentAsUndefined(this.#objects.head(target));
    if (found?.writer === writer) return true;
    if (isTaken(error)) return false;
    throw error;
  }
}

async function absentAsUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
