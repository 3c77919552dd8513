import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "@whittle/contracts";
import type { Request, RequestHandler } from "express";

export interface Authenticator {
  /** Who sends the request: `key:<first digits of the key's SHA-256>`, or `local` where there are no keys. */
  actor(request: Request): string;
  /** Lets requests with a key as Bearer through. */
  bearer: RequestHandler;
  /** As `bearer`, and with a key as HTTP Basic password, which browsers ask for. */
  basic: RequestHandler;
}

/** Compares in constant time; without keys everybody on this machine may, but no web page through a name of its own. */
export function createAuthenticator(keys: string[]): Authenticator {
  const digests = keys.map(sha256);
  const matching = (key: string | undefined): Buffer | undefined => {
    if (key === undefined) return undefined;
    const sent = sha256(key);
    return digests.find((digest) => timingSafeEqual(digest, sent));
  };
  const open = keys.length === 0;

  const actor = (request: Request): string => {
    const digest = matching(bearerKey(request)) ?? matching(basicKey(request));
    return digest ? `key:${digest.toString("hex").slice(0, 12)}` : "local";
  };
  const bearer: RequestHandler = (request, response, next) => {
    if (open) return next(localOnly(request));
    if (matching(bearerKey(request))) return next();
    response.set("WWW-Authenticate", "Bearer");
    next(new AppError("unauthenticated", "send one of the API's keys: Authorization: Bearer <key>"));
  };
  const basic: RequestHandler = (request, response, next) => {
    if (open) return next(localOnly(request));
    if (matching(bearerKey(request)) || matching(basicKey(request))) return next();
    response.set("WWW-Authenticate", 'Basic realm="Whittle", charset="UTF-8"');
    next(new AppError("unauthenticated", "give any user name, and one of the API's keys as password"));
  };
  return { actor, bearer, basic };
}

/** A page of another site can point its own host name to 127.0.0.1 (DNS rebinding), but then sends that name. */
function localOnly(request: Request): AppError | undefined {
  if (isLoopback(request.hostname)) return undefined;
  return new AppError("forbidden", `without WHITTLE_API_KEYS the API answers to localhost, not to ${request.hostname}`);
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(host);
}

function bearerKey(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
}

function basicKey(request: Request): string | undefined {
  const encoded = /^Basic +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString();
  return text.slice(text.indexOf(":") + 1);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
