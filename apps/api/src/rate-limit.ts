import { AppError } from "@whittle/contracts";
import type { RequestHandler } from "express";
import { ipKeyGenerator, rateLimit } from "express-rate-limit";
import type { Authenticator } from "./auth.ts";

const windowMs = 60_000;

/** How many requests a minute an address may send with no key or a wrong one: too few to guess keys. */
const strangersLimit = 60;

/**
 * Refuses with 429 and `Retry-After` what is over a key's requests a minute, or a stranger's address's. Counts in this process: it
 * must also work while Redis is away.
 */
export function limitRequests(auth: Authenticator, limit: number): RequestHandler {
  return rateLimit({
    windowMs,
    limit: (request) => (auth.known(request) === undefined ? Math.min(limit, strangersLimit) : limit),
    keyGenerator: (request) => auth.known(request) ?? ipKeyGenerator(request.ip ?? ""),
    skip: () => limit === 0,
    standardHeaders: "draft-8",
    legacyHeaders: false,
    handler: (_request, _response, next) => {
      next(new AppError("rate_limited", "too many requests: try again after the seconds that Retry-After says"));
    },
  });
}
