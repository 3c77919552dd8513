import { createHash } from "node:crypto";
import { AppError } from "@whittle/contracts";
import { raw, type Request, type RequestHandler } from "express";

/** What a body of bytes may say that it is; all count alike. */
export const byteTypes = ["application/octet-stream", "application/zip"];

export const digestHeader = {
  "Content-Digest": "`sha-256=:<base 64>:` (RFC 9530): 400 when what arrived has another SHA-256.",
};

const sha256Field = /(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]*):/;

/** Bodies of bytes that are in memory at a time; others wait, unread. */
const atOnce = 2;

/** Reads bodies of bytes, whole; more than `limit` bytes are refused with 413, other types with 415. */
export function readBytes(limit: number): RequestHandler[] {
  return [onlyBytes, takeTurns(atOnce), raw({ type: byteTypes, limit, inflate: false })];
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
 * A body of bytes as it was sent.
 * @throws AppError `invalid_request` when it is empty, or is not what its `Content-Digest` says.
 */
export function bodyBytes(request: Request): Uint8Array {
  const body: unknown = request.body;
  if (!(body instanceof Uint8Array) || body.byteLength === 0)
    throw new AppError("invalid_request", "the body is empty; it must be the content", {
      issues: [{ path: "", message: "must not be empty" }],
    });
  checkDigest(request.get("content-digest"), body);
  return body;
}

/** Other algorithms than SHA-256 are left unchecked, as RFC 9530 says. */
function checkDigest(field: string | undefined, body: Uint8Array): void {
  const claimed = sha256Field.exec(field ?? "")?.[1];
  if (claimed === undefined) return;
  const actual = createHash("sha256").update(body).digest("base64");
  if (claimed === actual) return;
  const message = `is sha-256=:${claimed}:, but ${body.byteLength} bytes arrived whose digest is sha-256=:${actual}:`;
  throw new AppError("invalid_request", `the header Content-Digest ${message}: send them again`, {
    issues: [{ path: "content-digest", message }],
  });
}
