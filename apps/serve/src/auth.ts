import { allows, AppError, bearerKey, createKeyring, outOfScope, type ApiKey, type Scope } from "@whittle/contracts";
import type { RequestHandler } from "express";

/** Health says nothing of the models, and who asks for it has no key. */
const health = /^\/v2\/health\//i;

/** Makes what lets requests through whose key, sent as Bearer, has a scope. Without keys everybody may. */
export function createGuard(keys: ApiKey[]): (scope: Scope) => RequestHandler {
  const find = createKeyring(keys);
  return (scope) => (request, response, next) => {
    if (keys.length === 0 || health.test(request.path)) return next();
    const found = find(bearerKey(request.get("authorization")));
    if (found) return next(allows(found.scope, scope) ? undefined : outOfScope(found.scope, scope));
    response.set("WWW-Authenticate", "Bearer");
    next(new AppError("unauthenticated", "send one of the serving app's keys: Authorization: Bearer <key>"));
  };
}
