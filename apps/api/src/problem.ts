import { randomUUID } from "node:crypto";
import { AppError, toAppError } from "@whittle/contracts";
import type { ErrorRequestHandler, RequestHandler } from "express";
import type { Logger } from "pino";
import { z } from "zod";

const retryAfterSeconds = 5;

/** An error as RFC 9457 describes it. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })),
});

/** What the body parser throws says its status and what kind of thing went wrong. */
const parserError = z.object({
  status: z.int().min(400).max(499),
  type: z.string().optional(),
  message: z.string(),
  limit: z.number().optional(),
});

/** The one place where errors become answers. A status that was set before (415) stays. */
export function answerProblems(log: Logger): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    const error = fromParser(thrown) ?? toAppError(thrown);
    const status = response.statusCode >= 400 ? response.statusCode : error.status;
    const unexpected = error.code === "internal";
    const id = randomUUID();
    if (unexpected) log.error({ err: thrown, id, method: request.method, path: request.path }, "request failed");
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error.code === "unavailable") response.set("Retry-After", String(retryAfterSeconds));
    response
      .status(status)
      .type("application/problem+json")
      .json({
        type: `urn:whittle:problem:${error.code}`,
        title: error.code.replaceAll("_", " "),
        status,
        detail: unexpected ? `something went wrong inside; the API's log has it as ${id}` : error.message,
        code: error.code,
        issues: error.issues,
      } satisfies z.infer<typeof problem>);
  };
}

export const notFound: RequestHandler = (request, _response, next) => {
  next(new AppError("not_found", `there is no ${request.method} ${request.path}; see /docs`));
};

/** Answers what no other handler of a path took: the path is there, but not for this method. */
export function onlyMethods(methods: string[]): RequestHandler {
  const allowed = methods.map((method) => (method === "get" ? "GET, HEAD" : method.toUpperCase())).join(", ");
  return ({ method, path }, response, next) => {
    response.set("Allow", allowed);
    next(new AppError("method_not_allowed", `${path} takes ${allowed}, not ${method}; see /docs`));
  };
}

/** Bodies are JSON; anything else is refused with 415. */
export const onlyJson: RequestHandler = (request, response, next) => {
  const sent = request.get("content-type");
  const hasBody = request.headers["transfer-encoding"] !== undefined || Number(request.get("content-length") ?? 0) > 0;
  if (!hasBody || request.is("application/json") !== false) return next();
  response.status(415);
  const issues = [{ path: "content-type", message: "must be application/json" }];
  next(
    new AppError("invalid_request", `the body is ${sent ?? "of no stated type"}; it must be application/json`, {
      issues,
    }),
  );
};

/** What a JSON body holds is an object. */
export const onlyObjects: RequestHandler = (request, _response, next) => {
  const body: unknown = request.body;
  if (body === undefined || (typeof body === "object" && body !== null && !Array.isArray(body))) return next();
  const found = body === null ? "null" : Array.isArray(body) ? "an array" : `a ${typeof body}`;
  const issues = [{ path: "", message: "must be a JSON object" }];
  next(new AppError("invalid_request", `the body is ${found}; it must be a JSON object`, { issues }));
};

function fromParser(thrown: unknown): AppError | undefined {
  if (thrown instanceof URIError) return new AppError("invalid_request", "the path is not valid percent-encoding");
  const parsed = parserError.safeParse(thrown);
  if (thrown instanceof AppError || !parsed.success) return undefined;
  const { type, limit, message } = parsed.data;
  if (type === "entity.too.large") return new AppError("payload_too_large", `the body may have at most ${limit} bytes`);
  return new AppError("invalid_request", `the body can't be read: ${message}`, { cause: thrown });
}
