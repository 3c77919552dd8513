import {
  allows,
  AppError,
  bearerKey,
  createKeyring,
  isLoopback,
  outOfScope,
  refuseForeignHost,
  type ApiKey,
  type Scope,
} from "@whittle/contracts";
import type { Request, RequestHandler } from "express";

/** Health says nothing of the models, and who asks for it has no key. */
const health = /^\/v2\/health\//i;

/**
 * Makes what lets requests through whose key, sent as Bearer, has a scope. Without keys everybody may who reaches the app, but no web
 * page that somebody's browser shows.
 * @param host where the app listens.
 */
export function createGuard(keys: ApiKey[], host: string): (scope: Scope) => RequestHandler {
  const find = createKeyring(keys);
  return (scope) => (request, response, next) => {
    if (health.test(request.path)) return next();
    if (keys.length === 0) return next(refuseWebPage(request, scope, host));
    const found = find(bearerKey(request.get("authorization")));
    if (found) return next(allows(found.scope, scope) ? undefined : outOfScope(found.scope, scope));
    response.set("WWW-Authenticate", "Bearer");
    next(new AppError("unauthenticated", "send one of the serving app's keys: Authorization: Bearer <key>"));
  };
}

/** A page can read nothing of another origin, but it can send: so what changes the models is refused to it, under whatever host name. */
function refuseWebPage(request: Request, scope: Scope, host: string): AppError | undefined {
  const origin = request.get("origin");
  if (scope !== "read" && origin !== undefined && !isOwn(origin, request.get("host"))) {
    const message = `without WHITTLE_SERVE_KEYS no page of another origin may load or unload models, and this one is ${origin}`;
    return new AppError("forbidden", message);
  }
  // Beyond loopback it may have any name: that of a container, or what a proxy passes on.
  return isLoopback(host) ? refuseForeignHost(request.hostname, "serving app", "WHITTLE_SERVE_KEYS") : undefined;
}

function isOwn(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
