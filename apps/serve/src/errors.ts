import { AppError, toAppError } from "@whittle/contracts";
import type { ErrorRequestHandler, RequestHandler } from "express";
import type { Logger } from "pino";

const RETRY_AFTER_SECONDS = 1;

/** Both protocols answer failures with `{"error": "..."}`. */
export function errorHandler(logger: Logger, bodyLimit: number): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    const failure = fromHttp(error, bodyLimit) ?? toAppError(error);
    if (failure.code === "internal" || failure.code === "corrupt")
      logger.error({ err: error, method: request.method, path: request.path }, "request failed");
    if (failure.code === "unavailable") response.set("Retry-After", String(RETRY_AFTER_SECONDS));
    response.status(failure.status).json({ error: failure.message });
  };
}

export const noSuchPath: RequestHandler = (request) => {
  throw new AppError("not_found", `there is nothing at ${request.method} ${request.path}`);
};

/** Answers what no other handler of a path took: the path is there, but not for this method. */
export function only(allowed: "GET" | "POST"): RequestHandler {
  const methods = allowed === "GET" ? "GET, HEAD" : allowed;
  return ({ method, path }, response) => {
    response.set("Allow", methods);
    throw new AppError("method_not_allowed", `${path} takes ${methods}, not ${method}`);
  };
}

/** What Express and its body parser throw: errors with a status of their own. */
function fromHttp(error: unknown, bodyLimit: number): AppError | undefined {
  if (error instanceof AppError || !(error instanceof Error) || !("status" in error)) return undefined;
  if (error.status === 413)
    return new AppError("payload_too_large", `the body is larger than ${bodyLimit} bytes`, { cause: error });
  const isCallersFault = typeof error.status === "number" && error.status >= 400 && error.status < 500;
  return isCallersFault ? new AppError("invalid_request", error.message, { cause: error }) : undefined;
}
