import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { AppError } from "@whittle/contracts";
import type { Request, RequestHandler } from "express";

/** What a body of bytes may say that it is; all count alike. */
export const byteTypes = ["application/octet-stream", "application/zip"];

export const digestHeader = {
  "Content-Digest": "`sha-256=:<base 64>:` (RFC 9530): 400 when what arrived has another SHA-256.",
};

const sha256Field = /(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]*):/;

/** Bodies of bytes that are received, read and stored at a time; others wait, unread. */
const atOnce = 2;

/** A body as it was received: a file in a folder of its own, until it was dealt with. */
export interface Received {
  path: string;
  size: number;
  digest: string;
}

/** Lets bodies of bytes come, a few at a time; other types are refused with 415. */
export function takeBytes(): RequestHandler[] {
  return [onlyBytes, takeTurns(atOnce)];
}

/** Lets so many requests go on at a time, until they are answered or their sender is gone; the others come in their order. */
export function takeTurns(most: number): RequestHandler {
  const waiting: (() => void)[] = [];
  let running = 0;
  const end = (): void => {
    running -= 1;
    waiting.shift()?.();
  };
  return (_request, response, next) => {
    const go = (): void => {
      running += 1;
      response.once("close", end);
      next();
    };
    if (running < most) return go();
    waiting.push(go);
    response.once("close", () => {
      const place = waiting.indexOf(go);
      if (place >= 0) waiting.splice(place, 1);
    });
  };
}

const onlyBytes: RequestHandler = (request, response, next) => {
  if (request.is(byteTypes) !== false) return next();
  response.status(415);
  const message = `must be ${byteTypes.join(" or ")}`;
  const sent = request.get("content-type") ?? "of no stated type";
  next(
    new AppError("invalid_request", `the body is ${sent}; it ${message}`, {
      issues: [{ path: "content-type", message }],
    }),
  );
};

/**
 * Does `work` with a body of bytes, which is written to a file as it comes; of the file nothing stays, however that ends.
 * @throws AppError `payload_too_large` for more than `limit` bytes; `invalid_request` when it is empty, compressed on the way, breaks off,
 *   or is not what its `Content-Digest` says; `unavailable` when it can't be written.
 */
export async function withBody<T>(request: Request, limit: number, work: (body: Received) => Promise<T>): Promise<T> {
  const encoding = request.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw bad("content-encoding", `is ${encoding}; the body must be sent as it is`);
  if (Number(request.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  const folder = await mkdtemp(join(tmpdir(), "whittle-upload-")).catch(cantWrite);
  try {
    return await work(await receive(request, join(folder, "body"), limit));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function cantWrite(cause: unknown): never {
  throw new AppError("unavailable", `the body can't be written to ${tmpdir()}: ${String(cause)}`, { cause });
}

async function receive(request: Request, path: string, limit: number): Promise<Received> {
  const hash = createHash("sha256");
  let size = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      size += chunk.byteLength;
      // What is over the limit is read and left out, so that its sender hears the answer.
      if (size > limit) continue;
      hash.update(chunk);
      yield chunk;
    }
  };
  // Where the file can't be written, the request stays as it is, so that its sender hears the answer.
  const chunks = request.iterator({ destroyOnReturn: false });
  await pipeline(chunks, counted, createWriteStream(path)).catch((cause: unknown) => {
    if (request.destroyed) throw new AppError("invalid_request", "the body broke off", { cause });
    return cantWrite(cause);
  });
  if (size > limit) throw tooLarge(limit);
  if (size === 0) throw bad("", "the body is empty; it must be the content");
  const digest = hash.digest();
  checkDigest(request.get("content-digest"), digest.toString("base64"), size);
  return { path, size, digest: `sha256:${digest.toString("hex")}` };
}

const tooLarge = (limit: number) => new AppError("payload_too_large", `the body may have at most ${limit} bytes`);

function bad(path: string, message: string): AppError {
  return new AppError("invalid_request", path === "" ? message : `${path} ${message}`, { issues: [{ path, message }] });
}

/** Other algorithms than SHA-256 are left unchecked, as RFC 9530 says. */
function checkDigest(field: string | undefined, actual: string, size: number): void {
  const claimed = sha256Field.exec(field ?? "")?.[1];
  if (claimed === undefined || claimed === actual) return;
  const message = `is sha-256=:${claimed}:, but ${size} bytes arrived whose digest is sha-256=:${actual}:`;
  throw new AppError("invalid_request", `the header Content-Digest ${message}: send them again`, {
    issues: [{ path: "content-digest", message }],
  });
}
