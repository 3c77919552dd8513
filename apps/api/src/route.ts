import { AppError, parse, type Scope } from "@whittle/contracts";
import type { Request, RequestHandler, Response, Router } from "express";
import type { z } from "zod";
import type { Authenticator } from "./auth.ts";
import { onlyMethods } from "./problem.ts";

interface Described {
  method: "get" | "post" | "put" | "delete";
  /** As Express writes it: `/v1/jobs/:id`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** What a key must be allowed to; by default to read for a GET, to submit for anything else. */
  scope?: Scope;
  /** Its body is bytes; what it takes beside them is in the query. */
  bytes?: true;
  /** Names of headers that it reads, with what they are for. */
  headers?: Record<string, string>;
  /** Status of a good answer; 200 when it is not said. */
  status?: number;
  /** Absent where the answer is not JSON: then `mediaType` says what it is. */
  answer?: z.ZodType;
  mediaType?: string;
  /** Entries that stand in the document instead of this one: one path for each value of a parameter. */
  documentedAs?: { path: string; summary: string; description: string; input: z.ZodType; example: unknown }[];
}

/** One HTTP operation, from which both its handler and its entry in the OpenAPI document are made. */
export interface Route extends Described {
  /** What it takes: the query of a GET, of a DELETE and beside bytes; the JSON body of anything else. */
  input?: z.ZodType;
  example?: unknown;
  run: (request: Request, response: Response) => Promise<void>;
}

interface Exchange {
  request: Request;
  response: Response;
}

/** What is answered as JSON; undefined when it has answered itself. */
type Handle<T> = (exchange: T) => Promise<unknown>;

/** Declares an operation that takes nothing but its path. */
export function route({ handle, ...described }: Described & { handle: Handle<Exchange> }): Route {
  const run = async (request: Request, response: Response): Promise<void> => {
    answer(response, described.status, await handle({ request, response }));
  };
  return { ...described, run };
}

/** Declares an operation that takes a query or a body, which reaches `handle` parsed. */
export function routeWith<S extends z.ZodType>(
  schema: S,
  { handle, ...described }: Described & { example?: unknown; handle: Handle<Exchange & { input: z.output<S> }> },
): Route {
  const run = async (request: Request, response: Response): Promise<void> => {
    const [given, what] = takesQuery(described) ? [request.query, "the query"] : [request.body ?? {}, "the body"];
    answer(response, described.status, await handle({ input: parse(schema, given, what), request, response }));
  };
  return { ...described, input: schema, run };
}

/** Whether what it takes is in the query, not in a body. */
export function takesQuery({ method, bytes }: Pick<Route, "method" | "bytes">): boolean {
  return bytes === true || method === "get" || method === "delete";
}

function answer(response: Response, status = 200, value: unknown): void {
  if (value !== undefined) response.status(status).json(value);
}

/** A parameter of the path. */
export function param(request: Request, name: string): string {
  const value = request.params[name];
  return typeof value === "string" ? value : "";
}

/** The version that a path names. @throws AppError `invalid_request`. */
export function versionParam(request: Request): number {
  const text = param(request, "version");
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  const issues = [{ path: "version", message: "must be a whole number from 1" }];
  throw new AppError("invalid_request", `version ${text} is not valid: it must be a whole number from 1`, { issues });
}

/** @param read what reads the body, once it is known that the sender may. */
export function mount(
  router: Router,
  routes: Route[],
  auth: Authenticator,
  read: Record<"json" | "bytes", RequestHandler[]>,
): void {
  for (const each of routes)
    router[each.method](each.path, auth.bearer(scopeOf(each)), ...(each.bytes ? read.bytes : read.json), each.run);
  // Paths that differ only in what their parameters are called are one path.
  const shapeOf = ({ path }: Route): string => path.replaceAll(/:\w+/g, ":");
  for (const each of routes) {
    const methods = routes.filter((other) => shapeOf(other) === shapeOf(each)).map(({ method }) => method);
    router.all(each.path, onlyMethods(methods));
  }
}

export function scopeOf({ scope, method }: Pick<Route, "scope" | "method">): Scope {
  return scope ?? (method === "get" ? "read" : "submit");
}
