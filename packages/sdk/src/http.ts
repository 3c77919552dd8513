import { AppError, isErrorCode, type ErrorCode } from "@whittle/contracts";
import { z } from "zod";

export interface HttpOptions {
  url: string;
  /** Sent as `Authorization: Bearer`. */
  key?: string;
  /** Names the server in errors: `the API`. */
  what: string;
  /** How long {@link Http.text} and {@link Http.json} wait for the end of an answer, in ms. */
  timeoutMs?: number;
}

export interface RequestOptions {
  query?: Record<string, string | number | undefined>;
  /** Sent as JSON; bytes as they are. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface TextOptions extends Omit<RequestOptions, "signal"> {
  /** What takes as long as it takes: files, and work whose amount the caller chooses. */
  unlimited?: boolean;
}

/** An error body: RFC 9457 (the API) or `{error}` (the serving protocols). */
const problem = z.object({
  code: z.string().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
  error: z.string().optional(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

const codeOfStatus: Record<number, ErrorCode> = {
  400: "invalid_request",
  401: "unauthenticated",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  409: "conflict",
  413: "payload_too_large",
  424: "failed_dependency",
  429: "rate_limited",
  501: "unsupported",
  503: "unavailable",
  504: "timeout",
};

/** One HTTP server: fetch with its address and key, and every failure as an AppError. */
export class Http {
  readonly url: string;
  readonly #key: string | undefined;
  readonly #what: string;
  readonly #timeoutMs: number;

  constructor({ url, key, what, timeoutMs = 30_000 }: HttpOptions) {
    this.url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#what = what;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Without a limit of time: the body, which may be a stream or a file, is the caller's to read.
   * @returns the response, whose status is 2xx.
   * @throws AppError what the server answered, or `unavailable` when it doesn't answer.
   */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const response = await this.#fetch(method, path, options);
    if (response.ok) return response;
    throw await this.#errorOf(response);
  }

  /**
   * The whole of a short answer.
   * @throws AppError as {@link Http.request}; `unavailable` when the answer has not ended in time.
   */
  async text(method: string, path: string, { unlimited = false, ...options }: TextOptions = {}): Promise<string> {
    const limit = unlimited ? undefined : AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await this.request(method, path, { ...options, ...(limit && { signal: limit }) });
      return await response.text();
    } catch (error) {
      if (!limit?.aborted || error instanceof AppError) throw error;
      const late = `has not answered ${method} ${path} within ${this.#timeoutMs / 1000} s`;
      throw this.#unavailable(`${late}; the client's option timeoutMs sets this limit`, error);
    }
  }

  /** As {@link Http.text}, of an answer in JSON. */
  async json<T>(method: string, path: string, options: TextOptions = {}): Promise<T> {
    const body: T = JSON.parse(await this.text(method, path, options));
    return body;
  }

  async #fetch(method: string, path: string, { query = {}, body, headers, signal }: RequestOptions): Promise<Response> {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    try {
      return await fetch(url, {
        method,
        headers: {
          ...(this.#key !== undefined && { authorization: `Bearer ${this.#key}` }),
          ...(body !== undefined && {
            "content-type": isBytes(body) ? "application/octet-stream" : "application/json",
          }),
          ...headers,
        },
        ...(body !== undefined && { body: isBytes(body) ? body : JSON.stringify(body) }),
        ...(signal && { signal }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw this.#unavailable(`does not answer (${reasonOf(error)})`, error);
    }
  }

  #unavailable(what: string, cause: unknown): AppError {
    return new AppError("unavailable", `${this.#what} at ${this.url} ${what}`, { cause });
  }

  async #errorOf(response: Response): Promise<AppError> {
    const text = await response.text().catch(() => "");
    const parsed = problem.safeParse(jsonOr(text));
    const { code, title, detail, error, issues } = parsed.success ? parsed.data : {};
    const message = detail ?? error ?? title ?? `${this.#what} at ${this.url} answered ${response.status}`;
    return new AppError(isErrorCode(code) ? code : (codeOfStatus[response.status] ?? "internal"), message, {
      issues: issues ?? [],
    });
  }
}

/** `fetch` takes no memory that is shared between threads. */
function isBytes(body: unknown): body is Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array && body.buffer instanceof ArrayBuffer;
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** fetch says only "fetch failed"; what happened is in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return ("code" in cause && String(cause.code)) || cause.message;
  return error instanceof Error ? error.message : String(error);
}
