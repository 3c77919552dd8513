import {
  allows,
  AppError,
  bearerKey,
  createKeyring,
  outOfScope,
  refuseForeignHost,
  type ApiKey,
  type KnownKey,
  type Scope,
} from "@whittle/contracts";
import type { Request, RequestHandler } from "express";

export interface Authenticator {
  /** Who sends the request: `key:<first digits of the key's SHA-256>`, `local` where there are no keys; undefined for anybody else. */
  known(request: Request): string | undefined;
  /** The same, of a request that was let through. */
  actor(request: Request): string;
  /** Lets requests through whose key, sent as Bearer, has the scope. */
  bearer(scope: Scope): RequestHandler;
  /** As `bearer`, and with a key as HTTP Basic password, which browsers ask for. */
  basic(scope: Scope): RequestHandler;
}

/** Compares in constant time; without keys everybody on this machine may, but no web page through a name of its own. */
export function createAuthenticator(keys: ApiKey[]): Authenticator {
  const matching = createKeyring(keys);
  const ofBearer = (request: Request) => matching(bearerKey(request.get("authorization")));
  const ofEither = (request: Request) => ofBearer(request) ?? matching(basicKey(request));
  const known = (request: Request): string | undefined => {
    if (keys.length === 0) return "local";
    const found = ofEither(request);
    return found && `key:${found.digest.slice(0, 12)}`;
  };
  const guard =
    (find: (request: Request) => KnownKey | undefined, challenge: string, hint: string) =>
    (scope: Scope): RequestHandler =>
    (request, response, next) => {
      if (keys.length === 0) return next(refuseForeignHost(request.hostname, "API", "WHITTLE_API_KEYS"));
      const found = find(request);
      if (found) return next(allows(found.scope, scope) ? undefined : outOfScope(found.scope, scope));
      response.set("WWW-Authenticate", challenge);
      next(new AppError("unauthenticated", hint));
    };
  return {
    known,
    actor: (request) => known(request) ?? "unknown",
    bearer: guard(ofBearer, "Bearer", "send one of the API's keys: Authorization: Bearer <key>"),
    basic: guard(
      ofEither,
      'Basic realm="Whittle", charset="UTF-8"',
      "give any user name, and one of the API's keys as password",
    ),
  };
}

function basicKey(request: Request): string | undefined {
  const encoded = /^Basic +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString();
  return text.slice(text.indexOf(":") + 1);
}
